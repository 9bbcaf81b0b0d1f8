import { expect, test } from 'vitest';
import { cleanWorkspace, packageJson } from './workspace.ts';

test('built packages load under plain Node', () => {
  using workspace = cleanWorkspace();
  expect(workspace.check('build').passed).toBe(true);
  expect(workspace.run('check-built.mjs')).toEqual({ passed: true, output: 'check-built: 2 packages, 0 faults\n' });
});

test('an entry that is not built is found', () => {
  using workspace = cleanWorkspace();
  const exports = { '.': { source: './src/index.ts', types: './dist/index.d.ts', default: './dist/main.js' } };
  workspace.write('packages/core/package.json', packageJson('core', {}, { exports }));
  workspace.check('build');
  const { passed, output } = workspace.run('check-built.mjs');
  expect(passed).toBe(false);
  expect(output).toContain('dist/main.js');
});

test('a package that needs its sources when it is loaded is found', () => {
  using workspace = cleanWorkspace();
  workspace.write(
    'packages/shards/src/index.ts',
    "import { readFileSync } from 'node:fs';\n\nexport const text: string = readFileSync(new URL('./index.ts', import.meta.url), 'utf8');\n",
  );
  expect(workspace.check('build').passed).toBe(true);
  const { passed, output } = workspace.run('check-built.mjs');
  expect(passed).toBe(false);
  expect(output).toMatch(/packages\/shards: the built package does not load:[\s\S]*ENOENT/);
});
