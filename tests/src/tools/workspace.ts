import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const SETTINGS = ['.gitignore', '.oxlintrc.json', '.oxfmtrc.json', 'knip.json', 'tsconfig.base.json', 'tsconfig.check.json'];

/** What a check said. */
export interface Verdict {
  readonly passed: boolean;
  readonly output: string;
}

/** A small workspace under the settings of this repository, in a folder of its own. */
export interface Workspace extends Disposable {
  /** Writes a file; the path is relative to the workspace. */
  write(path: string, text: string): void;
  /** Runs checks by name; none: all. */
  check(...names: string[]): Verdict;
  /** Runs one of the tools by file name. */
  run(tool: string, ...args: string[]): Verdict;
}

const packageJson = (name: string, dependencies: Readonly<Record<string, string>> = {}, more: object = {}): string =>
  JSON.stringify({
    name: `@wherry/${name}`,
    version: '0.1.0',
    type: 'module',
    exports: { '.': { source: './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' } },
    dependencies,
    ...more,
  });

/** The files of a workspace in which every check passes: `core`, and `shards` above it. */
const CLEAN: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({ name: 'clean', private: true, type: 'module', workspaces: ['packages/*', 'examples/*'] }),
  'tsconfig.json': '{ "files": [], "references": [{ "path": "packages/core" }, { "path": "packages/shards" }] }',
  'packages/core/package.json': packageJson('core'),
  'packages/core/tsconfig.json': '{ "extends": "../../tsconfig.base.json" }\n',
  'packages/core/src/index.ts': "export { ERROR_CODES } from './error-codes.ts';\n",
  'packages/core/src/error-codes.ts':
    "export const ERROR_CODES = {\n  internal: { status: 500, meaning: 'A fault of ours.' },\n} as const;\n",
  'packages/shards/package.json': packageJson('shards', { '@wherry/core': '0.1.0' }),
  'packages/shards/tsconfig.json': '{ "extends": "../../tsconfig.base.json", "references": [{ "path": "../core" }] }\n',
  'packages/shards/src/index.ts':
    "import { ERROR_CODES } from '@wherry/core';\n\nexport const codes: readonly string[] = Object.keys(ERROR_CODES);\n",
  'README.md': '# Clean\n\nSee [the errors](docs/errors.md#errors).\n',
};

export { packageJson };

/** Makes a clean workspace, in which a test then plants what is to be found. */
export function cleanWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-workspace-'));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const run = (tool: string, ...args: string[]): Verdict => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(repository, 'tools', tool), ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { passed: status === 0, output: stdout + stderr };
  };
  for (const [path, text] of Object.entries(CLEAN)) write(path, text);
  for (const name of SETTINGS) copyFileSync(join(repository, name), join(folder, name));
  mkdirSync(join(folder, 'node_modules/@wherry'), { recursive: true });
  mkdirSync(join(folder, 'docs'));
  for (const name of ['@types', 'undici-types']) symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name));
  for (const name of ['core', 'shards']) symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules/@wherry', name));
  run('errors-page.mjs');
  return {
    write,
    run,
    check: (...names) => run('check.mjs', ...names),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
