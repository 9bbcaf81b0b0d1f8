import { describe, expect, test } from 'vitest';
import { cleanWorkspace, packageJson, type Workspace } from './workspace.ts';

interface Violation {
  readonly name: string;
  readonly check: string;
  /** Puts the violation into a clean workspace. */
  readonly plant: (workspace: Workspace) => void;
  /** What the check has to say of it. */
  readonly says: RegExp;
}

const SHARDS = 'packages/shards/src/index.ts';

const VIOLATIONS: readonly Violation[] = [
  {
    name: 'a value of the wrong type',
    check: 'types',
    plant: ({ write }) => write(SHARDS, "export const count: number = 'one';\n"),
    says: /TS2322/,
  },
  {
    name: 'an index that may be missing',
    check: 'types',
    plant: ({ write }) => write(SHARDS, 'export const first = (list: readonly string[]): string => list[0];\n'),
    says: /TS2322/,
  },
  {
    name: 'an export whose type has to be inferred',
    check: 'build',
    plant: ({ write }) => write(SHARDS, 'export const sum = [1, 2].reduce((a, b) => a + b, 0);\n'),
    says: /TS9010/,
  },
  {
    name: 'a promise that nobody waits for',
    check: 'lint',
    plant: ({ write }) => write(SHARDS, 'export function start(work: () => Promise<void>): void {\n  work();\n}\n'),
    says: /no-floating-promises/,
  },
  {
    name: 'a case that a switch leaves out',
    check: 'lint',
    plant: ({ write }) =>
      write(SHARDS, "export function f(side: 'a' | 'b'): void {\n  switch (side) {\n    case 'a':\n      break;\n  }\n}\n"),
    says: /switch-exhaustiveness-check/,
  },
  {
    name: 'any',
    check: 'lint',
    plant: ({ write }) => write(SHARDS, 'export const anything = (value: any): boolean => value === 1;\n'),
    says: /no-explicit-any/,
  },
  {
    name: 'another format',
    check: 'format',
    plant: ({ write }) => write(SHARDS, 'export const text = "double"\n'),
    says: /packages\/shards\/src\/index\.ts/,
  },
  {
    name: 'a file that nobody imports',
    check: 'dead-code',
    plant: ({ write }) => write('packages/shards/src/orphan.ts', 'export const orphan = 1;\n'),
    says: /Unused files[\s\S]*orphan\.ts/,
  },
  {
    name: 'an export that nobody uses',
    check: 'dead-code',
    plant: ({ write }) => {
      write('packages/shards/src/pair.ts', 'export const left = 1;\nexport const right = 2;\n');
      write(SHARDS, "import '@wherry/core';\n\nexport { left } from './pair.ts';\n");
    },
    says: /Unused exports[\s\S]*right/,
  },
  {
    name: 'a dependency that nobody uses',
    check: 'dead-code',
    plant: ({ write }) => write(SHARDS, 'export const alone = 1;\n'),
    says: /Unused dependencies[\s\S]*@wherry\/core/,
  },
  {
    name: 'an import that the package does not declare',
    check: 'imports',
    plant: ({ write }) => write('packages/shards/package.json', packageJson('shards')),
    says: /'@wherry\/core' is not declared in packages\/shards\/package\.json/,
  },
  {
    name: 'a type import that only the tests declare',
    check: 'imports',
    plant: ({ write }) => {
      write('packages/core/package.json', packageJson('core', {}, { devDependencies: { pg: '8.0.0' } }));
      write('packages/core/src/index.ts', "export type { Pool } from 'pg';\n");
    },
    says: /'pg' is not declared .*for tests only/,
  },
  {
    name: 'an upward import',
    check: 'imports',
    plant: ({ write }) => write('packages/core/src/index.ts', "export { codes } from '@wherry/shards';\n"),
    says: /@wherry\/shards \(layer 1\) is above layer 0/,
  },
  {
    name: 'an upward import on demand',
    check: 'imports',
    plant: ({ write }) =>
      write('packages/core/src/index.ts', "export const later = async (): Promise<unknown> => await import('@wherry/shards');\n"),
    says: /@wherry\/shards \(layer 1\) is above layer 0/,
  },
  {
    name: 'an upward dependency',
    check: 'imports',
    plant: ({ write }) => write('packages/core/package.json', packageJson('core', { '@wherry/shards': '0.1.0' })),
    says: /@wherry\/shards \(layer 1\) is not below layer 0/,
  },
  {
    name: 'a cycle between packages',
    check: 'imports',
    plant: ({ write }) => write('packages/core/package.json', packageJson('core', {}, { devDependencies: { '@wherry/shards': '0.1.0' } })),
    says: /@wherry\/core -> @wherry\/shards -> @wherry\/core need each other/,
  },
  {
    name: 'a subpath that is not exported',
    check: 'imports',
    plant: ({ write }) => write(SHARDS, "export { ERROR_CODES } from '@wherry/core/error-codes';\n"),
    says: /does not export '\.\/error-codes'/,
  },
  {
    name: 'a relative import into another package',
    check: 'imports',
    plant: ({ write }) => write(SHARDS, "export { ERROR_CODES } from '../../core/src/index.ts';\n"),
    says: /leaves its package/,
  },
  {
    name: 'a builtin without its prefix',
    check: 'imports',
    plant: ({ write }) => write(SHARDS, "export { readFile } from 'fs/promises';\n"),
    says: /write 'node:fs\/promises'/,
  },
  {
    name: 'a package root that loads a driver by another file',
    check: 'imports',
    plant: ({ write }) => {
      write('packages/core/package.json', packageJson('core', { redis: '6.0.0' }));
      write('packages/core/src/client.ts', "export { createClient } from 'redis';\n");
      write('packages/core/src/index.ts', "export { createClient } from './client.ts';\n");
    },
    says: /packages\/shards: the package root loads 'redis' by packages\/shards\/src\/index\.ts -> packages\/core\/src\/index\.ts/,
  },
  {
    name: 'virtual users that share code with what they judge',
    check: 'imports',
    plant: ({ write }) => {
      write('examples/crowd/package.json', packageJson('crowd', { '@wherry/core': '0.1.0' }));
      write('examples/crowd/src/index.ts', "export { ERROR_CODES } from '@wherry/core';\n");
    },
    says: /virtual users judge the engine/,
  },
  {
    name: 'an oversized file',
    check: 'sizes',
    plant: ({ write }) => write('packages/core/src/long.ts', '// line\n'.repeat(351)),
    says: /long\.ts: 351 lines, at most 350/,
  },
  {
    name: 'an oversized test',
    check: 'sizes',
    plant: ({ write }) => write('packages/core/src/long.test.ts', '// line\n'.repeat(601)),
    says: /long\.test\.ts: 601 lines, at most 600/,
  },
  {
    name: 'a path of one machine',
    check: 'words',
    plant: ({ write }) => write('README.md', `Look into ${['', 'home', 'me', 'file'].join('/')}.\n`),
    says: /README\.md:1: a path of one machine/,
  },
  {
    name: 'a marker of unfinished work',
    check: 'words',
    plant: ({ write }) => write(SHARDS, `// ${'TO'.concat('DO')}: later\n`),
    says: /unfinished work/,
  },
  {
    name: 'a test that hides the others',
    check: 'words',
    plant: ({ write }) => write('packages/core/src/a.test.ts', `test.${'on'.concat('ly')}('a', () => undefined);\n`),
    says: /hides itself or others/,
  },
  {
    name: 'a download address in the lockfile',
    check: 'words',
    plant: ({ write }) => write('package-lock.json', '{ "resolved": "https://registry.example/a.tgz" }\n'),
    says: /a download address/,
  },
  {
    name: 'a broken link',
    check: 'docs',
    plant: ({ write }) => write('README.md', '[gone](docs/gone.md)\n'),
    says: /'docs\/gone\.md' leads nowhere/,
  },
  {
    name: 'a link to a heading that is not there',
    check: 'docs',
    plant: ({ write }) => write('README.md', '[gone](docs/errors.md#gone)\n'),
    says: /names a heading/,
  },
  {
    name: 'a page of errors that is behind the code',
    check: 'docs',
    plant: ({ write }) =>
      write('packages/core/src/error-codes.ts', "export const ERROR_CODES = { fresh: { status: 500, meaning: 'New.' } } as const;\n"),
    says: /behind the registry/,
  },
];

test('every check passes on a clean workspace', () => {
  using workspace = cleanWorkspace();
  const { passed, output } = workspace.check();
  expect(output).toContain('check: all passed');
  expect(passed).toBe(true);
});

describe.each(VIOLATIONS)('$check finds $name', ({ check, plant, says }) => {
  test('and fails', () => {
    using workspace = cleanWorkspace();
    plant(workspace);
    const { passed, output } = workspace.check(check);
    expect(output).toMatch(says);
    expect(passed).toBe(false);
  });
});

test('what only looks like an import is none', () => {
  using workspace = cleanWorkspace();
  workspace.write(
    'packages/core/src/index.ts',
    [
      "// import { x } from 'comment';",
      "/* import 'block'; */",
      "export { ERROR_CODES } from './error-codes.ts';",
      'export const script = `import { x } from ${1}; import "template"; await import("inner");`;',
      "export const url = 'https://example.org'; export const from = 'somewhere';",
      '',
    ].join('\n'),
  );
  expect(workspace.check('imports')).toEqual({ passed: true, output: expect.stringContaining('ok    imports') });
});

test('a check that does not exist is no check that passed', () => {
  using workspace = cleanWorkspace();
  expect(workspace.check('spelling').passed).toBe(false);
});
