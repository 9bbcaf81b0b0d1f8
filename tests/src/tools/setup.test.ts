import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;

/** Stands in for npm: notes that it was called, takes its time, and installs a Node as the real one would. */
const NPM = `#!/bin/sh
echo "$@" >> calls
if [ -e broken ]; then exit 1; fi
rm -rf node_modules
sleep 0.3
mkdir -p node_modules/.bin
ln -s "${process.execPath}" node_modules/.bin/node
`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-setup-'));
  mkdirSync(join(folder, 'tools'));
  mkdirSync(join(folder, 'bin'));
  cpSync(join(repository, 'tools/setup.mjs'), join(folder, 'tools/setup.mjs'));
  writeFileSync(
    join(folder, 'package-lock.json'),
    '{ "packages": { "": {}, "node_modules/a": { "version": "1.0.0", "integrity": "x" } } }',
  );
  writeFileSync(join(folder, 'bin/npm'), NPM);
  chmodSync(join(folder, 'bin/npm'), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

const setUp = (): Promise<{ readonly status: number | null; readonly output: string }> =>
  new Promise((resolve) => {
    const env = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` };
    const child = spawn(process.execPath, [join(folder, 'tools/setup.mjs')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.once('close', (status) => resolve({ status, output }));
  });
const calls = (): number => (existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n').length : 0);

test('several that start together install once, and later ones not at all', async () => {
  const results = await Promise.all([setUp(), setUp(), setUp(), setUp()]);
  expect(results.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  expect(calls()).toBe(1);
  expect(readFileSync(join(folder, 'calls'), 'utf8')).toContain('ci --include=dev --include=optional --ignore-scripts=false');
  expect(await setUp()).toEqual({ status: 0, output: '' });
  expect(calls()).toBe(1);
});

test('a changed lockfile is installed anew', async () => {
  await setUp();
  writeFileSync(join(folder, 'package-lock.json'), '{ "packages": { "node_modules/a": { "version": "2.0.0" } } }');
  await setUp();
  expect(calls()).toBe(2);
});

test('a failed installation is told of, leaves no stamp and no lock, and is repeated', async () => {
  writeFileSync(join(folder, 'broken'), '');
  const failed = await setUp();
  expect(failed.status).toBe(1);
  expect(failed.output).toContain('setup: npm ci failed');
  rmSync(join(folder, 'broken'));
  expect((await setUp()).status).toBe(0);
  expect(calls()).toBe(2);
});

test('the lock of a process that died is taken over', async () => {
  mkdirSync(join(folder, '.wherry'));
  const gone = spawn('true');
  await new Promise((resolve) => gone.once('close', resolve));
  writeFileSync(join(folder, '.wherry/setup.lock'), String(gone.pid));
  expect((await setUp()).status).toBe(0);
  expect(calls()).toBe(1);
});

test('what npm install has brought already is not installed again', async () => {
  await setUp();
  rmSync(join(folder, 'node_modules/.wherry-setup'));
  writeFileSync(
    join(folder, 'node_modules/.package-lock.json'),
    '{ "packages": { "node_modules/a": { "version": "1.0.0", "integrity": "x" } } }',
  );
  await setUp();
  expect(calls()).toBe(1);
});
