// Prevents: a package that works in this repository only: every publishable one is built, linted as published, and
// loaded by plain Node, without the condition that selects the sources here. Needs `npm run build` first.
import { spawnSync } from 'node:child_process';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { report, workspacesOf } from './workspaces.mjs';

const faults = [];
const publishable = workspacesOf().filter(({ json }) => json.private !== true);
for (const { folder, json } of publishable) {
  const { messages } = await publint({ pkgDir: folder, pack: false, level: 'warning', strict: true });
  for (const message of messages) faults.push(`${folder}: ${formatMessage(message, json)}`);
  // Conformance suites load the test runner, which refuses to be loaded outside a run.
  const entries = Object.keys(json.exports ?? {}).filter((subpath) => subpath !== './testing');
  const script = entries.map((subpath) => `await import(${JSON.stringify(json.name + subpath.slice(1))});`).join('\n');
  const env = { ...process.env, NODE_OPTIONS: '' };
  // A package can name itself from inside its folder; what its folder cannot resolve, its users could not either.
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, env, encoding: 'utf8' });
  if (status !== 0) faults.push(`${folder}: the built package does not load:\n${stderr}`);
}
report('check-built', faults, `${publishable.length} packages`);
