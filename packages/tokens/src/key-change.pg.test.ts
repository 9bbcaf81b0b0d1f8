import { isWherryError } from '@wherry/core';
import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { readImportedKey } from './imported-key.ts';
import { tokensSchema } from './index.ts';
import { createIssuer } from './issuer.ts';
import { AUDIENCE, ISSUER, TestKeys, testKey } from './testing/fixtures.ts';
import { grantNow, issueFrom, judged, startKeyProcess, type KeyProcess, type KeyProcessOptions } from './testing/key-process.ts';

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
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { interval: 10, timeout: PATIENT_MS });
const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: unknown) => (isWherryError(error) ? error.code : String(error)),
  );

/** Starts a process that ends with the test. */
async function start(options: KeyProcessOptions = {}): Promise<KeyProcess> {
  const process = await startKeyProcess(home.url, options);
  onTestFinished(() => process[Symbol.asyncDispose]());
  return process;
}
async function kinds(): Promise<string[]> {
  const { rows } = await database.query<{ kind: string }>(
    `SELECT state || ' ' || alg || CASE WHEN alg = 'RS256' THEN ' ' || length(public_jwk->>'n') ELSE '' END AS kind FROM signing_key ORDER BY created_at, kid`,
  );
  return rows.map(({ kind }) => kind);
}
async function actions(kid: string): Promise<string[]> {
  const { rows } = await database.query<{ act: string }>(
    `SELECT actor || ' ' || action || coalesce(' ' || (details->>'forced'), '') AS act FROM audit WHERE details->>'kid' = $1 ORDER BY id`,
    [kid],
  );
  return rows.map(({ act }) => act);
}

describe('another algorithm', () => {
  test.each([
    { alg: 'RS256', rsaBits: 3072, kind: 'active RS256 512' },
    { alg: 'EdDSA', rsaBits: 2048, kind: 'active EdDSA' },
  ] as const)('$alg takes over while the system runs, and no token is refused', async ({ alg, rsaBits, kind }) => {
    const gateway = await start();
    const old = await start({ mode: 'shared' });
    const before = issueFrom(old);
    const anew = await start({ mode: 'shared', alg, rsaBits });
    await until(() => expect(anew.ring.signingKey().alg).toBe(alg));
    await until(() => expect(old.ring.signingKey().alg).toBe(alg));
    expect(await kinds()).toEqual(['retiring ES256', kind]);
    expect(judged(before, gateway, old, anew)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(judged(issueFrom(old), gateway, old, anew)).toEqual(['accepted', 'accepted', 'accepted']);
    // The old one goes round in its ways, and does not change it back.
    for (let i = 0; i < 3; i++) expect(await old.store.ensureShared('ES256')).toBeUndefined();
    expect(await kinds()).toHaveLength(2);
  });

  test('by hand stays until a configuration says something new', async () => {
    const auth = await start({ mode: 'shared' });
    await auth.store.rotate('EdDSA', command);
    await until(() => expect(auth.ring.signingKey().alg).toBe('EdDSA'));
    const again = await start({ mode: 'shared' });
    expect(await again.store.ensureShared('ES256')).toBeUndefined();
    expect(again.ring.signingKey().alg).toBe('EdDSA');
    const anew = await start({ mode: 'shared', alg: 'RS256' });
    await until(() => expect(anew.ring.signingKey().alg).toBe('RS256'));
  });

  test('that was taken back before it signed does not come again', async () => {
    const auth = await start({ mode: 'shared', store: { jwksMaxAgeS: 3600 } });
    const { kid } = await auth.store.rotate('EdDSA', command);
    await auth.store.retire(kid, command);
    expect(await auth.store.ensureShared('ES256')).toBeUndefined();
    expect(await kinds()).toEqual(['active ES256', 'gone EdDSA']);
  });
});

describe('a key from elsewhere', () => {
  const { privateKey, publicKey } = testKey('RS256');
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

  test('signs after it was published, and what its former owner signed holds at once', async () => {
    const gateway = await start();
    const auth = await start({ mode: 'shared' });
    const key = readImportedKey(pem, { kid: 'former' });
    const elsewhere = createIssuer({
      keys: new TestKeys({ ...testKey('RS256'), kid: 'former', privateKey }),
      issuer: ISSUER,
      audience: AUDIENCE,
      lifeS: 600,
    });
    const { token } = elsewhere.issue(grantNow());
    await until(() => expect(judged(token, gateway)).toEqual(['token_key_unknown']));
    await auth.store.import(key, command);
    await until(() => expect(auth.ring.signingKey().kid).toBe('former'));
    expect(judged(token, gateway)).toEqual(['accepted']);
    expect(judged(issueFrom(auth), gateway, auth)).toEqual(['accepted', 'accepted']);
    expect(await actions('former')).toEqual(['tester signing_key.import', 'system signing_key.active']);
    // The configuration asks for ES256; the operator has decided otherwise since.
    expect(await auth.store.ensureShared('ES256')).toBeUndefined();
    const { rows } = await database.query<{ sealed: string }>(
      `SELECT encode(sealed_private, 'hex') AS sealed FROM signing_key WHERE kid = 'former'`,
    );
    const der = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex');
    expect(rows[0]?.sealed).not.toContain(der.slice(80, 120));
  });

  test('without its private part verifies until its time, and never signs', async () => {
    const gateway = await start();
    const auth = await start({ mode: 'shared' });
    const own = auth.ring.signingKey().kid;
    const key = readImportedKey(JSON.stringify(publicKey.export({ format: 'jwk' })), { kid: 'verify' });
    expect(await codeOf(auth.store.import(key, command, 5))).toBe('bad_request');
    const far = Date.now() + 86_400_000;
    await auth.store.import(key, command, far);
    const { token } = createIssuer({
      keys: new TestKeys({ ...testKey('RS256'), kid: 'verify', privateKey }),
      issuer: ISSUER,
      audience: AUDIENCE,
      lifeS: 600,
    }).issue(grantNow());
    await until(() => expect(judged(token, gateway)).toEqual(['accepted']));
    await auth.store.maintain();
    expect(auth.ring.signingKey().kid).toBe(own);
    expect(await auth.store.list()).toContainEqual(
      expect.objectContaining({ kid: 'verify', state: 'retiring', origin: 'imported', keepUntil: far }),
    );
    expect(await codeOf(auth.store.remove('verify', command, { unlessInUse: true }))).toBe('key_in_use');
    await database.query(`UPDATE signing_key SET keep_until = wherry_now() WHERE kid = 'verify'`);
    await until(() => expect(judged(token, gateway)).toEqual(['token_key_unknown']));
  });

  test('is never taken in twice: not under a known id, nor under another, nor after it was removed', async () => {
    const auth = await start({ mode: 'shared' });
    const own = auth.ring.signingKey().kid;
    const again = (kid: string, options = {}): Promise<string> =>
      codeOf(auth.store.import(readImportedKey(pem, { kid, ...options }), command));
    expect(await again(own)).toBe('conflict');
    expect(await again('one')).toBe('done');
    await until(() => expect(auth.ring.signingKey().kid).toBe('one'));
    expect(await again('one')).toBe('conflict');
    expect(await again('two', { verifyOnly: true })).toBe('conflict');
    await auth.store.remove('one', command);
    expect(await again('one')).toBe('conflict');
    expect(await again('two')).toBe('conflict');
  });

  test('waits its turn', async () => {
    const auth = await start({ mode: 'shared', store: { jwksMaxAgeS: 3600 } });
    await auth.store.rotate('ES256', command);
    expect(await codeOf(auth.store.import(readImportedKey(pem), command))).toBe('conflict');
    expect((await auth.store.list()).map(({ origin }) => origin)).toEqual(['made', 'made']);
  });
});

describe('overlap', () => {
  test('is the longest that any instance has asked for: life, clocks, cut-off issuers, renewal', async () => {
    const renewing = await start({ mode: 'shared', store: { lifeS: 900, skewMs: 10_000, renewalGraceMs: 1_800_000 } });
    const { kid } = renewing.ring.signingKey();
    await renewing[Symbol.asyncDispose]();
    // One that knows of no renewal takes the step.
    const auth = await start({ mode: 'shared' });
    await auth.store.rotate('ES256', command);
    await until(async () => expect(await kinds()).toEqual(['retiring ES256', 'active ES256']));
    const { rows } = await database.query<{ kept: bigint }>(
      `SELECT r.keep_until - a.activated_at AS kept FROM signing_key r, signing_key a WHERE r.kid = $1 AND a.state = 'active'`,
      [kid],
    );
    const overlap = 900_000 + 10_000 + 60_000 + 1_800_000;
    expect(Number(rows[0]?.kept)).toBeGreaterThan(overlap - 5000);
    expect(Number(rows[0]?.kept)).toBeLessThanOrEqual(overlap);
  });
});

describe('use', () => {
  test('is counted by the key, written down coarsely and at the end, and lost writes are made up for', async () => {
    const auth = await start({ mode: 'shared', usesEveryMs: 3_600_000 });
    const { kid } = auth.ring.signingKey();
    const uses = async (): Promise<unknown> => {
      const { rows } = await database.query('SELECT issued::int, last_used_at FROM signing_key WHERE kid = $1', [kid]);
      return rows[0];
    };
    for (let i = 0; i < 3; i++) issueFrom(auth);
    expect(await uses()).toEqual({ issued: 0, last_used_at: null });
    await database.query('ALTER TABLE signing_key RENAME COLUMN issued TO elsewhere');
    await expect(auth.ring.flushUses()).rejects.toThrow();
    await database.query('ALTER TABLE signing_key RENAME COLUMN elsewhere TO issued');
    issueFrom(auth);
    await auth.ring.flushUses();
    await auth.ring.flushUses();
    expect(await uses()).toEqual({ issued: 4, last_used_at: expect.any(BigInt) as bigint });
    issueFrom(auth);
    await auth[Symbol.asyncDispose]();
    expect(await uses()).toMatchObject({ issued: 5 });
  });

  test('is written down by the keeper in its round', async () => {
    const auth = await start({ mode: 'shared', usesEveryMs: 0 });
    issueFrom(auth);
    await until(async () => expect(await auth.store.list()).toMatchObject([{ issued: 1, lastUsedAt: expect.any(Number) as number }]));
  });
});

test('the audit log tells who made, activated, retired and removed a key, and by force', async () => {
  const auth = await start({ mode: 'shared' });
  const first = auth.ring.signingKey().kid;
  await auth.store.rotate('ES256', command);
  await until(() => expect(auth.ring.signingKey().kid).not.toBe(first));
  const second = auth.ring.signingKey().kid;
  await auth.store.remove(second, command);
  expect(await actions(first)).toEqual(['system signing_key.publish', 'system signing_key.retiring']);
  expect(await actions(second)).toEqual(['tester signing_key.publish', 'system signing_key.active', 'tester signing_key.gone true']);
});
