import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applySchema, coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { tokensSchema } from '@wherry/tokens';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { run, type Run } from '../testing/recording-terminal.ts';

let home: ControlDatabase;
let control: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'));
  control = home.database;
});
afterAll(() => home[Symbol.asyncDispose]());

const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');
const wherry = (line: string, more: Readonly<Record<string, string>> = {}): Promise<Run> =>
  run(`keys ${line}`, { WHERRY_CONTROL_URL: home.url, WHERRY_MASTER_KEY: MASTER_KEY, USER: 'ada', ...more });
async function out(line: string): Promise<string> {
  const { code, out: text, err } = await wherry(line);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return text;
}
const kidOf = (text: string): string => text.split(' ')[0] ?? '';
async function acts(): Promise<unknown[]> {
  const { rows } = await control.query('SELECT actor, action, reason, details FROM audit ORDER BY id');
  return rows;
}

describe('wherry keys', () => {
  it('says that nothing has been set up, then that there is no key', async () => {
    expect(await wherry('list')).toMatchObject({ code: 1, err: expect.stringContaining('no tables yet') as string });
    await applySchema(control, [coreSchema, tokensSchema]);
    expect(await out('list')).toBe('there are none: auth makes the first one when it starts');
  });

  it('lists without the master key, and changes nothing without it', async () => {
    expect(await run('keys list', { WHERRY_CONTROL_URL: home.url })).toMatchObject({ code: 0 });
    expect(await run('keys rotate', { WHERRY_CONTROL_URL: home.url })).toMatchObject({
      code: 2,
      err: expect.stringContaining('masterKey is not set') as string,
    });
    expect(await acts()).toEqual([]);
  });

  it('rotates: the first key signs at once, its successor waits, and who did it stands in the audit log', async () => {
    const first = await out('rotate --actor grace --reason first');
    expect(first).toMatch(/^[\w-]{43} {2}ES256 {2}active {4}shared {2}made \S+Z, signing since \S+Z\nno instance follows it$/);
    const second = await out('rotate --alg EdDSA');
    expect(second).toMatch(/^[\w-]{43} {2}EdDSA {2}next {6}shared {2}made \S+Z, signs after \S+Z at the earliest\n/);
    expect(await out('list')).toBe([first, second].map((text) => text.split('\n')[0]).join('\n'));
    expect(JSON.parse(await out('list --json'))).toMatchObject([
      { kid: kidOf(first), state: 'active' },
      { kid: kidOf(second), state: 'next' },
    ]);
    expect(await acts()).toMatchObject([
      { actor: 'grace', action: 'signing_key.publish', reason: 'first', details: { kid: kidOf(first), alg: 'ES256' } },
      { actor: 'ada', action: 'signing_key.publish', reason: null, details: { kid: kidOf(second), alg: 'EdDSA' } },
    ]);
    expect(await wherry('rotate')).toMatchObject({ code: 1, err: 'wherry: a shared key is already waiting to take over' });
    expect(await wherry('rotate --alg HS256')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Allowed choices are ES256, RS256, EdDSA') as string,
    });
    expect(await wherry('rotate', { WHERRY_TOKENS_KEY_MODE: 'process' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('makes a key of its own') as string,
    });
  });

  it('refuses what would refuse tokens that live, unless it is forced for a reason', async () => {
    const [active = '', next = ''] = (await out('list')).split('\n').map(kidOf);
    expect(await wherry(`retire ${active}`)).toMatchObject({ code: 1, err: expect.stringContaining('rotate') as string });
    expect(await wherry(`remove ${active}`)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^wherry: tokens signed by the key may live until \S+Z$/) as string,
    });
    expect(await wherry(`remove ${active} --force`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('--force needs --reason') as string,
    });
    expect(await wherry('remove nobody')).toMatchObject({ code: 1, err: 'wherry: no living key has this id' });
    // It has signed nothing.
    expect(await out(`retire ${next}`)).toMatch(/^\S+ {2}gone\n/);
    const before = (await acts()).length;
    expect(await out(`remove ${active} --force --reason stolen`)).toBe(`${active}  gone\nno instance follows it`);
    expect((await acts())[before]).toMatchObject({ actor: 'ada', action: 'signing_key.gone', reason: 'stolen', details: { kid: active } });
    // The successor of a key that signed.
    expect(await out('list')).toMatch(/^\S+ {2}ES256 {2}next {2}/);
  });

  it('says when an instance has not heard of it', async () => {
    await control.query(
      `INSERT INTO instance (id, role, started_at, lease_until, acked) VALUES ('deaf', 'gateway', wherry_now(), wherry_now() + 3600000, '{"keys": 0}')`,
    );
    const [next = ''] = (await out('list')).split('\n').map(kidOf);
    expect(await out(`remove ${next}`)).toBe(`${next}  gone\nnot every live instance acts on it yet`);
  });

  it('takes a key in, says who can read its file, and prints nothing of it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'wherry-keys-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const file = async (name: string, text: string, mode: number): Promise<string> => {
      await writeFile(join(folder, name), text, { mode });
      return join(folder, name);
    };
    const open = await file('open.pem', pem, 0o644);
    const closed = await file('closed.pem', pem, 0o600);
    const shared = await file('public.json', JSON.stringify(publicKey.export({ format: 'jwk' })), 0o644);
    await control.query('TRUNCATE signing_key, key_policy, instance');

    const warned = await wherry(`import ${open} --kid former --reason moved`);
    expect(warned).toMatchObject({
      code: 0,
      err: `wherry: ${open} holds a private key and others can read it (mode 644); chmod 600 it, or delete it`,
    });
    expect(warned.out).toMatch(/^former {2}ES256 {2}active {4}shared {2}imported \S+Z, signing since \S+Z\n/);
    expect(await wherry(`import ${closed} --kid other`)).toMatchObject({
      code: 1,
      out: '',
      err: 'wherry: the key is or was here under another id',
    });
    expect(await wherry(`import ${shared}`)).toMatchObject({ code: 1, err: expect.stringContaining('another id') as string });

    await control.query('TRUNCATE signing_key, key_policy');
    expect(await out(`import ${shared} --kid verify --until 2999-01-01`)).toMatch(
      /^verify {2}ES256 {2}retiring {2}shared {2}imported \S+Z, verifies only, kept until 2999-01-01T00:00:00.000Z\n/,
    );
    await control.query('TRUNCATE signing_key, key_policy');
    expect(await out(`import ${closed} --verify-only --kid verify`)).toMatch(/^verify {2}ES256 {2}retiring {2}.*verifies only, kept until/);

    for (const [line, code, why] of [
      [`import ${join(folder, 'none.pem')}`, 1, 'cannot be read: ENOENT'],
      [`import ${await file('long.pem', pem.padEnd(70_000), 0o600)}`, 1, '70000 bytes'],
      [`import ${await file('cut.pem', pem.slice(0, -30), 0o600)}`, 1, 'neither one PEM block'],
      [`import ${closed} --until 2999-01-01`, 1, 'only verifies'],
      [`import ${shared} --until tomorrow`, 2, 'no time like'],
    ] as const) {
      const answer = await wherry(line);
      expect(answer).toMatchObject({ code, out: '', err: expect.stringContaining(why) as string });
      for (const word of pem.split('\n').filter((part) => part.length > 20 && !part.startsWith('-----')))
        expect(answer.err).not.toContain(word);
    }
    expect(await wherry(`import ${closed} --kid z`, { WHERRY_TOKENS_KEY_MODE: 'process' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('makes a key of its own') as string,
    });
    expect((await acts()).filter((act) => JSON.stringify(act).includes('signing_key.import'))[0]).toMatchObject({
      actor: 'ada',
      reason: 'moved',
      details: { kid: 'former' },
    });
  });
});
