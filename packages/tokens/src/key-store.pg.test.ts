import { Sealer, isWherryError, type WherryError } from '@wherry/core';
import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { tokensSchema } from './index.ts';
import { jwksDocument } from './jwks.ts';
import { KeyRing } from './key-ring.ts';
import {
  SHORT_LEASE_MS,
  holdUp,
  issueFrom,
  judged,
  startKeyProcess,
  type KeyProcess,
  type KeyProcessOptions,
} from './testing/key-process.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, tokensSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.query('TRUNCATE signing_key, key_policy, instance, feed_topic, audit');
});

const command = { actor: 'tester', reason: 'a test' };
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { interval: 10 });

async function states(): Promise<Record<string, string>> {
  const { rows } = await database.query<{ kid: string; state: string }>('SELECT kid, state FROM signing_key');
  return Object.fromEntries(rows.map(({ kid, state }) => [kid, state]));
}

/** Starts a process that ends with the test. */
async function start(options: KeyProcessOptions = {}): Promise<KeyProcess> {
  const process = await startKeyProcess(home.url, options);
  onTestFinished(() => process[Symbol.asyncDispose]());
  return process;
}

describe('shared keys', () => {
  test('the first key ever signs at once, and every process verifies what another issued', async () => {
    const gateway = await start();
    const one = await start({ mode: 'shared' });
    const other = await start({ mode: 'shared' });
    expect(one.ring.signingKey().kid).toBe(other.ring.signingKey().kid);
    const tokens = [issueFrom(one), issueFrom(other)];
    await until(() => expect(gateway.ring.size).toBe(1));
    for (const token of tokens) expect(judged(token, one, other, gateway)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  test('the first key ever waits for nobody; a verifier that has not heard of it cannot know', async () => {
    const slow = holdUp();
    const gateway = await start({ wrap: slow.wrap });
    slow.hold();
    const auth = await start({ mode: 'shared' });
    const token = issueFrom(auth);
    expect(judged(token, gateway)).toEqual(['token_key_unproved']);
    slow.release();
    await until(() => expect(judged(token, gateway)).toEqual(['accepted']));
  });

  test('issuers that start together on an empty database make one key', async () => {
    const processes = await Promise.all(Array.from({ length: 5 }, () => start({ mode: 'shared' })));
    expect(new Set(processes.map(({ ring }) => ring.signingKey().kid)).size).toBe(1);
    expect(Object.values(await states())).toEqual(['active']);
  });

  test('a new key signs only after every live verifier has it; the old one goes on verifying', async () => {
    const slow = holdUp();
    const auth = await start({ mode: 'shared' });
    const gateway = await start({ wrap: slow.wrap });
    const before = issueFrom(auth);
    const former = auth.ring.signingKey().kid;
    expect(judged(before, gateway, auth)).toEqual(['accepted', 'accepted']);
    slow.hold();
    const { kid, seq } = await auth.store.rotate('EdDSA', command);
    await until(() => expect(auth.ring.find(kid)).toBeDefined());
    // The issuer itself has it and the keeper has gone round since; the gateway has not got it.
    await auth.store.maintain();
    expect((await states())[kid]).toBe('next');
    expect(auth.ring.signingKey().kid).toBe(former);
    slow.release();
    await until(() => expect(auth.ring.signingKey().kid).toBe(kid));
    expect(await auth.instance.acknowledged('keys', seq, PATIENT_MS)).toBe(true);
    expect(await states()).toEqual({ [former]: 'retiring', [kid]: 'active' });
    // The gateway knew the key before its first token.
    expect(judged(issueFrom(auth), gateway, auth)).toEqual(['accepted', 'accepted']);
    expect(judged(before, gateway, auth)).toEqual(['accepted', 'accepted']);
    // It was remembered all along: its key is still the same to those who remember.
    expect(gateway.verifier.stats.hits).toBe(1);
  });

  test('a verifier whose lease has ended holds nobody up, and does not call the new key unknown', async () => {
    const auth = await start({ mode: 'shared' });
    const gateway = await start({ leaseMs: SHORT_LEASE_MS });
    await gateway.kill();
    const { kid } = await auth.store.rotate('ES256', command);
    await until(() => expect(auth.ring.signingKey().kid).toBe(kid));
    expect(judged(issueFrom(auth), gateway)).toEqual(['token_key_unproved']);
  });

  test('a key waits until published sets have aged out', async () => {
    const auth = await start({ mode: 'shared', store: { jwksMaxAgeS: 3600 } });
    const { kid } = await auth.store.rotate('ES256', command);
    await until(() => expect(auth.ring.find(kid)).toBeDefined());
    await auth.store.maintain();
    expect((await states())[kid]).toBe('next');
    // What is published holds it already, and nothing private.
    const { body, cacheControl } = jwksDocument(auth.ring, 3600);
    const { keys } = JSON.parse(body) as { keys: Record<string, unknown>[] };
    expect(keys.map((key) => key['kid'])).toContain(kid);
    for (const key of keys) expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(cacheControl).toBe('public, max-age=3600');
    await database.query('UPDATE signing_key SET signs_after = wherry_now() WHERE kid = $1', [kid]);
    await until(() => expect(auth.ring.signingKey().kid).toBe(kid));
  });

  test('a retired key is kept for the life of a token, the skew and a cut-off issuer, and then destroyed', async () => {
    const auth = await start({ mode: 'shared' });
    const former = auth.ring.signingKey().kid;
    const token = issueFrom(auth);
    const begun = performance.now();
    await auth.store.rotate('ES256', command);
    await until(async () => expect((await states())[former]).toBe('retiring'));
    const { rows } = await database.query<{ kept: bigint }>(
      `SELECT r.keep_until - a.activated_at AS kept FROM signing_key r, signing_key a WHERE r.kid = $1 AND a.state = 'active'`,
      [former],
    );
    // The one retires in the same round in which the other begins to sign.
    expect(Math.abs(Number(rows[0]?.kept) - (600_000 + 30_000 + 60_000))).toBeLessThanOrEqual(performance.now() - begun + 1);
    expect(judged(token, auth)).toEqual(['accepted']);
    await database.query('UPDATE signing_key SET keep_until = wherry_now() WHERE kid = $1', [former]);
    await until(async () => expect((await states())[former]).toBe('gone'));
    await until(() => expect(judged(token, auth)).toEqual(['token_key_unknown']));
    const left = await database.query('SELECT 1 FROM signing_key WHERE kid = $1 AND sealed_private IS NOT NULL', [former]);
    expect(left.rowCount).toBe(0);
  });

  test('a removed key is refused everywhere at once, and a successor signs', async () => {
    const auth = await start({ mode: 'shared', store: { jwksMaxAgeS: 3600 } });
    const gateway = await start();
    const stolen = auth.ring.signingKey().kid;
    const token = issueFrom(auth);
    await until(() => expect(judged(token, gateway)).toEqual(['accepted']));
    const { seq } = await auth.store.remove(stolen, command);
    expect(await auth.instance.acknowledged('keys', seq, PATIENT_MS)).toBe(true);
    expect(judged(token, gateway, auth)).not.toContain('accepted');
    await until(() => expect(auth.ring.signingKey().kid).not.toBe(stolen));
    expect(judged(issueFrom(auth), gateway)).toEqual(['accepted']);
    await until(() => expect(judged(token, gateway)).toEqual(['token_key_unknown']));
  });

  test('a key whose tokens may live is removed only by force, one that has signed nothing or has outlived them without', async () => {
    const auth = await start({ mode: 'shared', store: { jwksMaxAgeS: 3600 } });
    const active = auth.ring.signingKey().kid;
    const refused = async (kid: string): Promise<unknown> =>
      auth.store.remove(kid, command, { unlessInUse: true }).catch((error: unknown) => error);
    const until = async (): Promise<number> => ((await refused(active)) as WherryError).data['until'] as number;
    expect(await refused(active)).toMatchObject({ code: 'key_in_use', data: { kid: active } });
    const { kid: next } = await auth.store.rotate('ES256', command);
    await auth.store.remove(next, command, { unlessInUse: true });
    expect(await states()).toEqual({ [active]: 'active', [next]: 'gone' });
    await database.query("UPDATE signing_key SET state = 'retiring', keep_until = wherry_now() + 86400000 WHERE kid = $1", [active]);
    const { rows } = await database.query<{ keep_until: bigint }>('SELECT keep_until FROM signing_key WHERE kid = $1', [active]);
    expect(await until()).toBe(Number(rows[0]?.keep_until));
    await database.query('UPDATE signing_key SET keep_until = wherry_now() WHERE kid = $1', [active]);
    // The keeper may have found it first.
    expect(await refused(active)).toSatisfy((answer) => isWherryError(answer, 'not_found') || !(answer instanceof Error));
    expect((await states())[active]).toBe('gone');
  });

  test('age makes the keeper rotate', async () => {
    const auth = await start({ mode: 'shared' });
    const former = auth.ring.signingKey().kid;
    expect(await auth.store.ensureShared('ES256', 3_600_000)).toBeUndefined();
    await database.query('UPDATE signing_key SET activated_at = activated_at - 3600001');
    expect(await auth.store.ensureShared('ES256', 3_600_000)).toBeDefined();
    await until(() => expect(auth.ring.signingKey().kid).not.toBe(former));
  });

  test('a longer life is recorded on the key before a token has it', async () => {
    const short = await start({ mode: 'shared', store: { lifeS: 60 } });
    expect(short.ring.signingKey().longestLifeS).toBe(60);
    await short[Symbol.asyncDispose]();
    const long = await start({ mode: 'shared' });
    await until(() => expect(long.ring.signingKey().longestLifeS).toBe(600));
  });

  test('cut off for too long, an issuer signs no more', async () => {
    const auth = await start({ mode: 'shared' });
    let staleMs = 60_000;
    const ring = new KeyRing({ database, sealer: new Sealer(Buffer.alloc(32, 7), 'signing-key'), staleMs: () => staleMs });
    await ring.load(0n);
    expect(ring.signingKey().kid).toBe(auth.ring.signingKey().kid);
    staleMs = 60_001;
    expect(() => ring.signingKey()).toThrowError(expect.objectContaining({ code: 'signing_key_unavailable' }));
  });
});

describe('keys at rest', () => {
  test('private parts are sealed, tied to their key, and opened only by those who issue', async () => {
    const auth = await start({ mode: 'shared' });
    const gateway = await start();
    const { kid, privateKey } = auth.ring.signingKey();
    const { rows } = await database.query<{ all: string }>(
      `SELECT string_agg(k::text, '') || coalesce((SELECT string_agg(a::text, '') FROM audit a), '') AS all FROM signing_key k`,
    );
    const secret = privateKey.export({ format: 'jwk' }).d ?? '';
    expect(secret).not.toBe('');
    for (const form of [secret, Buffer.from(secret, 'base64url').toString('hex')]) expect(rows[0]?.all).not.toContain(form);
    expect(() => gateway.ring.signingKey()).toThrowError(expect.objectContaining({ code: 'signing_key_unavailable' }));

    const wrongKey = new KeyRing({ database, sealer: new Sealer(Buffer.alloc(32, 8), 'signing-key'), staleMs: () => 0 });
    await expect(wrongKey.load(0n)).rejects.toMatchObject({ code: 'sealed_data_invalid' });
    await database.query(`UPDATE signing_key SET kid = 'moved' WHERE kid = $1`, [kid]);
    const moved = new KeyRing({ database, sealer: new Sealer(Buffer.alloc(32, 7), 'signing-key'), staleMs: () => 0 });
    await expect(moved.load(0n)).rejects.toMatchObject({ code: 'sealed_data_invalid' });
  });

  test('a row that is no key is never acknowledged', async () => {
    await database.query(`INSERT INTO feed_topic (topic, seq) VALUES ('keys', 1)`);
    await database.query(
      `INSERT INTO signing_key (kid, alg, state, public_jwk, longest_life_s, signs_after, seq) VALUES ('bad', 'ES256', 'next', '{"kty":"oct","k":"AA"}', 60, 0, 1)`,
    );
    const ring = new KeyRing({ database, staleMs: () => 0 });
    await expect(ring.load(0n)).rejects.toMatchObject({ code: 'signing_key_invalid' });
    expect(ring.find('bad')).toBeUndefined();
  });
});

describe('commands', () => {
  test('say what cannot be done, and leave who, what and why behind', async () => {
    const auth = await start({ mode: 'shared', store: { jwksMaxAgeS: 3600 } });
    const { kid } = auth.ring.signingKey();
    const codeOf = (call: Promise<unknown>): Promise<string> =>
      call.then(
        () => 'done',
        (error: unknown) => (isWherryError(error) ? error.code : String(error)),
      );
    expect(await codeOf(auth.store.retire('nobody', command))).toBe('not_found');
    expect(await codeOf(auth.store.remove("x'; DROP TABLE signing_key; --", command))).toBe('not_found');
    expect(await codeOf(auth.store.retire(kid, command))).toBe('conflict');
    const next = await auth.store.rotate('RS256', command);
    expect(await codeOf(auth.store.rotate('ES256', command))).toBe('conflict');
    expect((await auth.store.list()).map(({ state, alg }) => `${state} ${alg}`)).toEqual(['active ES256', 'next RS256']);
    await auth.store.retire(next.kid, command);
    expect((await states())[next.kid]).toBe('gone');
    const { rows } = await database.query<{ actor: string; action: string; reason: string }>(
      `SELECT actor, action, reason FROM audit WHERE details->>'kid' = $1 ORDER BY id`,
      [next.kid],
    );
    expect(rows).toEqual([
      { actor: 'tester', action: 'signing_key.publish', reason: 'a test' },
      { actor: 'tester', action: 'signing_key.gone', reason: 'a test' },
    ]);
  });
});
