import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sourceRefKeyOf, sourceRefKeyText } from '@wherry/sessions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIG_SCHEMA } from './config/index.ts';
import { run } from './testing/recording-terminal.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-cli-'));
  file = join(folder, 'c.json');
  writeFileSync(file, JSON.stringify({ gateway: { port: 9000 } }));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the command line', () => {
  it.each([
    ['', /^Usage: wherry/],
    ['rolout status', /unknown command 'rolout'\n\(Did you mean rollout\?\)/],
    ['rollout', /^Usage: wherry rollout/],
    ['rollout sideways', /unknown command 'sideways'/],
    ['rollout advance --fast', /unknown option '--fast'/],
    ['rollout advance --percent 100.5', /argument '100\.5' is invalid\. Allowed is 0 to 100/],
    ['rollout advance --percent 1e1', /argument '1e1' is invalid/],
    ['rollout advance --percent', /argument missing/],
    ['rollout advance 5', /too many arguments/],
    ['rollout set-percent', /missing required argument 'percent'/],
    ['rollout set-percent x', /argument value 'x' is invalid for argument 'percent'\. Allowed is 0 to 100/],
    ['rollout rollback --expect-version 0', /argument '0' is invalid\. Allowed is a whole number/],
    ['rollout history --limit -1', /argument '-1' is invalid/],
    ['config check --roles auth,cook', /Allowed are auth, gateway, migrator/],
    ['rollout status', /^wherry: control\.url is not set; allowed is WHERRY_CONTROL_URL/],
    ['config check --config /nowhere.json', /^wherry: the configuration file \(\/nowhere\.json\) cannot be read \(ENOENT\)/],
  ])('called as "wherry %s" ends with 2 and says why on the standard error', async (line, why) => {
    const { code, out, err } = await run(line);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.replace(/^error: /, '')).toMatch(why);
  });

  it('prints help and version on the standard output and ends with 0', async () => {
    for (const line of ['--help', 'help', 'rollout --help', 'help rollout']) expect(await run(line)).toMatchObject({ code: 0, err: '' });
    expect((await run('rollout set-percent --help')).out).toContain('0 to 100 in steps of 0.01');
    expect((await run('version')).out).toMatch(/^wherry \d+\.\d+\.\d+, node \d+\./);
  });
});

describe('wherry config', () => {
  it('prints what was changed and by whom, and no secret', async () => {
    const { code, out, err } = await run(`config check -c ${file}`, {
      WHERRY_LOG_LEVEL: 'warn',
      WHERRY_CONTROL_URL: 'postgres://u:hunter2@h/d',
      WHERRY_SOURCE_URL: 'redis://:hunter2@h',
      WHERRY_FOO: 'hunter2',
    });
    expect(code).toBe(0);
    expect(out.split('\n').map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      `gateway.port 9000 (${file})`,
      'log.level "warn" (WHERRY_LOG_LEVEL)',
      'control.url [secret] (WHERRY_CONTROL_URL)',
      'source.url [secret] (WHERRY_SOURCE_URL)',
      'the configuration is valid',
    ]);
    expect(err).toBe('WHERRY_FOO is no setting and has no effect');
    expect((await run('config check')).out).toBe('the configuration is valid');
  });

  it('asks for what the roles need, one thing at a time', async () => {
    const environment: Record<string, string> = {};
    const next = async (roles: string): Promise<string> => (await run(`config check --roles ${roles}`, environment)).err.replace(/;.*/, '');
    expect(await next('gateway')).toBe('wherry: control.url is not set');
    environment['WHERRY_CONTROL_URL'] = 'postgres://h/d';
    expect(await next('gateway')).toBe('wherry: shards.list is not set');
    environment['WHERRY_SHARDS_LIST'] = 'a,b';
    environment['WHERRY_SHARDS_A_URL'] = 'postgres://h/a';
    expect(await next('gateway')).toBe('wherry: shards.b.url is not set');
    environment['WHERRY_SHARDS_B_URL'] = 'postgres://h/b';
    expect(await next('gateway')).toBe('wherry: masterKey is not set');
    environment['WHERRY_MASTER_KEY'] = KEY;
    expect(await next('gateway')).toBe('');
    expect(await next('gateway,migrator')).toBe('wherry: source.url is not set');
    environment['WHERRY_SOURCE_URL'] = 'redis://h';
    expect(await next('migrator')).toBe('');
    expect(await next('gateway')).toBe('wherry: source.cookieSecrets is not set');
    environment['WHERRY_SOURCE_COOKIE_SECRETS'] = 's';
    environment['WHERRY_AUTH_CLIENTS'] = '[{"id":"page","public":true},{"id":"app"}]';
    expect(await next('auth')).toBe('wherry: auth.clients.app.secret is not set');
    environment['WHERRY_AUTH_CLIENT_APP_SECRET'] = 'x'.repeat(16);
    expect(await next('auth, gateway,migrator'.replace(' ', ''))).toBe('');
  });

  it('prints the schema', async () => {
    const { code, out } = await run('config schema');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(CONFIG_SCHEMA);
  });

  it('gives out the key of applications only when asked to, and never the master key', async () => {
    const environment = { WHERRY_MASTER_KEY: KEY };
    const text = sourceRefKeyText(sourceRefKeyOf(Buffer.alloc(32, 7)));
    const quiet = await run('config app-key', environment);
    expect(quiet).toMatchObject({ code: 0, out: expect.stringMatching(/^WHERRY_SOURCE_REF_KEY, fingerprint [0-9a-f]{8}$/) as string });
    expect(`${quiet.out}${quiet.err}`).not.toContain(text);
    expect(await run('config app-key --show', environment)).toEqual({ code: 0, out: text, err: '' });
    const key = join(folder, 'app-key');
    const written = await run(`config app-key --out ${key}`, environment);
    expect(written).toEqual({ code: 0, out: `${quiet.out}, written to ${key}`, err: '' });
    expect(readFileSync(key, 'utf8')).toBe(`${text}\n`);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    // What is there may be in use, and may be readable by others.
    expect(await run(`config app-key --out ${key}`, environment)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('EEXIST') as string,
    });
    expect(await run('config app-key --show')).toMatchObject({ code: 2, err: expect.stringContaining('masterKey is not set') as string });
  });

  it('lets a role see the key of applications, which has no effect on it', async () => {
    const { code, err } = await run('config check', { WHERRY_SOURCE_REF_KEY: 'srk1.x', WHERRY_SOURCE_REF_KEY_FILE: '/nowhere' });
    expect({ code, err }).toEqual({
      code: 0,
      err: 'WHERRY_SOURCE_REF_KEY is no setting and has no effect\nWHERRY_SOURCE_REF_KEY_FILE is no setting and has no effect',
    });
  });
});

describe('the program as a process', () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  async function start(
    words: readonly string[],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number | null; out: string; err: string }> {
    const child = spawn(process.execPath, ['--conditions=source', main, ...words], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...environment },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, out, err };
  }

  it('ends with the code and writes to the right stream', async () => {
    expect(await start(['config', 'check'])).toEqual({ code: 0, out: 'the configuration is valid\n', err: '' });
    const bad = await start(['config', 'check'], { WHERRY_GATEWAY_PORT: 'x' });
    expect(bad).toEqual({
      code: 2,
      out: '',
      err: 'wherry: gateway.port (WHERRY_GATEWAY_PORT) is "x"; allowed is an integer from 0 to 65535\n',
    });
    const away = await start(['rollout', 'status'], { WHERRY_CONTROL_URL: 'postgres://u:hunter2@127.0.0.1:1/d' });
    expect(away).toEqual({ code: 1, out: '', err: 'wherry: the control database cannot be reached\n' });
  });
});
