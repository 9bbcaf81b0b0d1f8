import { defineConfig } from 'vitest/config';

const conditions = ['source', 'module', 'node', 'development|production'];

/** The suffix before `.test.ts` names the servers that a test needs; each set is a project of its own. */
const serverSets = ['pg', 'redis', 'dynamo', 'pg-redis', 'pg-dynamo', 'pg-redis-dynamo'];
const roots = ['{packages,services,apps,examples}/*/src', '{tests,bench}/src'];
const testsNamed = (name: string): string[] => roots.map((root) => `${root}/**/*${name}.test.ts`);

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: a server and a test file each; more workers only make timings lie.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: testsNamed(''),
          exclude: ['**/node_modules/**', '**/dist/**', ...serverSets.map((set) => `**/*.${set}.test.ts`)],
        },
      },
      ...serverSets.map((name) => ({
        extends: true as const,
        test: {
          name,
          include: testsNamed(`.${name}`),
          exclude: ['**/node_modules/**', '**/dist/**'],
          globalSetup: ['./packages/embedded/src/testing/global-setup.ts'],
        },
      })),
    ],
  },
});
