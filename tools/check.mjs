// Runs every check of the repository, one line each; a failing one shows its output. `node tools/check.mjs types lint` runs some.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tools = dirname(fileURLToPath(import.meta.url));
const modules = join(tools, '..', 'node_modules');

/** The file behind a package's command, run by this Node: the machine's own may be too old, or hidden from the PATH. */
function command(name, bin = name) {
  const { bin: bins } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
  return join(modules, name, typeof bins === 'string' ? bins : bins[bin]);
}
const own = (name) => join(tools, `check-${name}.mjs`);

// Each prevents what its header says; the first five are other people's tools.
const CHECKS = [
  ['types', command('typescript', 'tsc'), '-p', 'tsconfig.check.json'],
  // Package by package, as published: finds what only the whole repository together can resolve.
  ['build', command('typescript', 'tsc'), '-b'],
  ['lint', command('oxlint'), '--deny-warnings'],
  ['format', command('oxfmt'), '--check'],
  ['dead-code', command('knip'), '--no-progress'],
  ['imports', own('imports')],
  ['sizes', own('sizes')],
  ['words', own('words')],
  ['docs', own('docs')],
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !CHECKS.some(([known]) => known === name));
if (unknown.length > 0) {
  console.error(`check: no check named ${unknown.join(', ')}; there are ${CHECKS.map(([name]) => name).join(', ')}`);
  process.exit(2);
}

// oxlint looks for its type-aware half on the PATH.
const env = { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH ?? ''}`, NO_COLOR: '1' };
let failed = 0;
for (const [name, ...args] of CHECKS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const begun = performance.now();
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (status === 0) {
    console.log(`ok    ${name.padEnd(10)} ${seconds} s`);
    continue;
  }
  failed++;
  console.log(`FAIL  ${name.padEnd(10)} ${seconds} s\n${error?.message ?? ''}${stdout}${stderr}`);
}
console.log(failed === 0 ? 'check: all passed' : `check: ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
