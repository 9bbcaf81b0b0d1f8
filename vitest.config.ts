import { defineConfig } from 'vitest/config';
import { mariadbObtainable } from './packages/embedded/src/mariadb.ts';
import { mongoObtainable } from './packages/embedded/src/mongo-binary.ts';
import { nginxObtainable } from './packages/embedded/src/nginx.ts';
import { redisObtainable } from './packages/embedded/src/redis.ts';

// Not `module`: the runner hands these on to Node, which cannot load what bundlers get under that condition.
const conditions = ['source', 'node', 'development|production'];

/** The suffix before `.test.ts` names the servers that a test needs; each set is a project of its own. */
const serverSets = [
  'pg',
  'redis',
  'dynamo',
  'pg-redis',
  'pg-dynamo',
  'pg-redis-dynamo',
  'pg-nginx',
  'mongo',
  'pg-mongo',
  'mysql',
  'pg-mysql',
  'pg-mysql-redis',
];
/** What npm does not bring. Without one its tests are left out, loudly, except in CI, where they fail. */
const missing = [
  { server: 'redis', command: 'redis-server', variable: 'WHERRY_TEST_REDIS_URL', obtainable: redisObtainable },
  { server: 'mongo', command: 'mongod and no go', variable: 'WHERRY_TEST_MONGO_URL', obtainable: mongoObtainable },
  { server: 'mysql', command: 'mariadbd', variable: 'WHERRY_TEST_MYSQL_URL', obtainable: mariadbObtainable },
  { server: 'nginx', command: 'nginx', variable: 'WHERRY_TEST_NGINX', obtainable: nginxObtainable },
].filter(({ variable, obtainable }) => process.env['CI'] === undefined && process.env[variable] === undefined && !obtainable());
for (const { server, command } of missing)
  console.warn(`\n*** no ${command} on the PATH: all tests that need ${server} are LEFT OUT ***\n`);
const runnableSets = serverSets.filter((set) => !missing.some(({ server }) => set.split('-').includes(server)));
const roots = ['{packages,services,apps,examples}/*/src', '{tests,bench}/src'];
const testsNamed = (name: string): string[] => roots.map((root) => `${root}/**/*${name}.test.ts`);

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    setupFiles: ['./packages/embedded/src/testing/patience.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: a server and a test file each; more workers only make timings lie.
    maxWorkers: 2,
    // Of tests that are marked as concurrent.
    maxConcurrency: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: testsNamed(''),
          exclude: ['**/node_modules/**', '**/dist/**', ...serverSets.map((set) => `**/*.${set}.test.ts`)],
        },
      },
      ...runnableSets.map((name) => ({
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
