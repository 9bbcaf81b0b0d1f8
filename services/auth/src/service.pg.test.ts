import { Instance } from '@wherry/core/control';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { REVOCATION_TOPIC, RevocationSet } from '@wherry/revocation';
import { advance, changeRolloutSettings, readRollout, rollback } from '@wherry/rollout';
import { KEY_TOPIC, KeyRing, createVerifier } from '@wherry/tokens';
import { createPublicKey, verify as verifySignature, type JsonWebKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { COMMON, EXCHANGE, basicHeader, startService, type Answer, type Running } from './testing/service.ts';
import { PASSWORD, claims, expectProblem, logIn, newName, register, type Login, type Registered } from './testing/people.ts';
import type { Cluster } from '@wherry/shards/testing';
import { startAuthCluster } from './testing/cluster.ts';

/** A process reckons the database's clock, and is wrong by up to half of the time that asking for it took. */
const CLOCKS_MS = 10_000;

let cluster: Cluster;
let auth: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await step('advance');
  auth = await startService(cluster);
  await vi.waitFor(() => expect(auth.service.runtime.instance.leaseValid).toBe(true));
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** Moves the rollout and waits until every instance acts on it. */
async function step(command: 'advance' | 'rollback', percent?: number): Promise<void> {
  const { version } = await readRollout(cluster.control);
  const move = { expectedVersion: version, actor: 'test' };
  const { seq } = command === 'advance' ? await advance(cluster.control, move, percent) : await rollback(cluster.control, move);
  if (auth !== undefined) await auth.service.runtime.instance.acknowledged('rollout', seq, PATIENT_MS);
}

/** Repeats a log-out until every instance has acknowledged it in time: it says `false` where the machine stood still. */
const propagated = async (logOut: () => Promise<Answer>): Promise<void> =>
  vi.waitFor(async () => {
    const answer = await logOut();
    expect([answer.status, answer.headers.get('x-wherry-propagated')]).toEqual([204, 'true']);
  });
const registered = async (authorities?: readonly string[]): Promise<Registered> => register(auth, authorities);
const loggedIn = async (username?: string): Promise<Login> => logIn(auth, username);
const whoami = async (bearer: string): Promise<Answer> => auth.send('GET', '/v1/whoami', { bearer });

describe('registration', () => {
  it('gives a new user an id of his own and the authorities of everybody', async () => {
    const answer = await auth.send('POST', '/v1/users', { body: { username: 'Ann.Other', password: PASSWORD } });
    expect([answer.status, answer.body]).toEqual([
      201,
      { userId: expect.stringMatching(/^\d{17,19}$/), username: 'Ann.Other', authorities: ['user'] },
    ]);
    expectProblem(await auth.send('POST', '/v1/users', { body: { username: 'ANN.OTHER', password: PASSWORD } }), 409, 'username_taken');
  });

  it('lets one of 50 have a name that they want at once', async () => {
    const username = newName();
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => auth.send('POST', '/v1/users', { body: { username, password: PASSWORD } })),
    );
    const codes = answers.map(({ status, body }) => [status, body['code']].join(' ')).toSorted();
    expect(codes).toEqual(['201 ', ...Array<string>(49).fill('409 username_taken')]);
    await loggedIn(username);
  });

  it('gives other authorities only by the hand of an operator', async () => {
    const body = { username: newName(), password: PASSWORD, authorities: ['admin', 'admin', 'orders:read'] };
    expectProblem(await auth.send('POST', '/v1/users', { body }), 401, 'unauthenticated');
    expectProblem(await auth.send('POST', '/v1/users', { body, bearer: 'guess' }), 403, 'forbidden');
    expectProblem(await auth.send('POST', '/v1/users', { body, basic: ['shop', 'shop secret'] }), 403, 'forbidden');
    expectProblem(await auth.send('POST', '/v1/users', { body, basic: ['ops', 'guess'] }), 401, 'client_unauthenticated');
    const answer = await auth.send('POST', '/v1/users', { body, basic: ['ops', 'ops secret'] });
    expect([answer.status, answer.body['authorities']]).toEqual([201, ['admin', 'orders:read']]);
  });

  it.each<[unknown, string]>([
    [{ username: 'short', password: '1234567' }, 'the password is too short'],
    [{ username: 'a b', password: PASSWORD }, 'the username is not allowed'],
    [{ username: 'x', password: PASSWORD, role: 'admin' }, 'body must NOT have additional properties ("role")'],
    [{ username: 'x' }, "body must have required property 'password'"],
    [{ username: 7, password: PASSWORD }, 'body/username must be string'],
    [{ username: 'x', password: 'x'.repeat(257) }, 'body/password must NOT have more than 256 characters'],
    ['{"username": "x"', 'cannot be read'],
    ['{"__proto__": {"a": 1}, "username": "x", "password": "long enough"}', 'cannot be read'],
    ['[]', 'body must be object'],
    ['', 'cannot be read'],
  ])('refuses %j', async (body, detail) => {
    const answer = await auth.send('POST', '/v1/users', { body });
    expectProblem(answer, 400, 'bad_request');
    expect(answer.body['detail']).toContain(detail);
  });

  it('refuses other media types and large bodies', async () => {
    const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'username=x' };
    expectProblem(await auth.send('POST', '/v1/users', form), 415, 'media_type_unsupported');
    expectProblem(
      await auth.send('POST', '/v1/users', { body: 'x', headers: { 'content-type': 'text/plain' } }),
      415,
      'media_type_unsupported',
    );
    expectProblem(await auth.send('POST', '/v1/users', { body: { username: 'x'.repeat(100_000) } }), 413, 'body_too_large');
  });
});

describe('a log-in', () => {
  it('gives a session token and an access token that say the same', async () => {
    const { username, userId } = await registered(['user', 'orders:write']);
    const before = Date.now();
    const answer = await auth.send('POST', '/v1/login', {
      body: { username: username.toUpperCase(), password: PASSWORD, clientId: 'page' },
    });
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(answer.body).toEqual({
      sessionToken: expect.stringMatching(/^st_[\w-]{48}$/),
      accessToken: expect.stringMatching(/^eyJ/),
      tokenType: 'Bearer',
      expiresIn: 300,
      sessionExpiresAt: expect.any(Number),
      userId,
      authorities: ['user', 'orders:write'],
    });
    expect(answer.body['sessionExpiresAt']).toBeGreaterThanOrEqual(before + 1_800_000 - CLOCKS_MS);
    expect(answer.body['sessionExpiresAt']).toBeLessThanOrEqual(Date.now() + 1_800_000 + CLOCKS_MS);
    const { accessToken, sessionToken } = answer.body as unknown as Login;
    const [byJwt, bySession] = [await whoami(accessToken), await whoami(sessionToken)];
    const same = { userId, username, authorities: ['user', 'orders:write'], clientId: 'page', sessionId: claims(accessToken)['sid'] };
    expect([byJwt.status, byJwt.body]).toEqual([200, { ...same, kind: 'jwt' }]);
    expect([bySession.status, bySession.body]).toEqual([200, { ...same, kind: 'session' }]);
    expect(claims(accessToken)).toMatchObject({ iss: COMMON.issuer, aud: COMMON.audience, sub: userId, client_id: 'page', gen: 0 });
  });

  it('is refused alike for a wrong password and for a user who is not there, at the same cost', async () => {
    const { username } = await registered();
    const refusals: Answer[] = [];
    const tries = [
      { username, password: 'wrong password' },
      { username: newName(), password: PASSWORD },
      { username: 'no name / at all', password: PASSWORD },
      { username, password: 'x' },
    ];
    for (const body of tries) {
      const before = auth.service.passwordsComputed;
      refusals.push(await auth.send('POST', '/v1/login', { body }));
      expect(auth.service.passwordsComputed - before).toBe(1);
    }
    for (const refusal of refusals) expectProblem(refusal, 401, 'login_failed');
    expect(new Set(refusals.map(({ text }) => text)).size).toBe(1);
    expect(refusals[0]?.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('begins a session that ends at its absolute life, however much it is used', async () => {
    const { sessionToken, userId } = await loggedIn();
    const { absoluteSeconds, accessTokenSeconds } = COMMON;
    const lifeAfter = async (seconds: number): Promise<unknown> => {
      for (const { database } of cluster.shards.all) {
        await database.query('UPDATE user_session SET create_time = $2::bigint - $3::bigint * 1000 WHERE user_id = $1', [
          userId,
          Date.now(),
          seconds,
        ]);
      }
      const subject = { subject_token: sessionToken, subject_token_type: 'urn:wherry:token-type:session' };
      const answer = await auth.exchange({ grant_type: EXCHANGE, ...subject });
      return answer.body['expires_in'] ?? answer.body['code'];
    };
    const begun = performance.now();
    const lives = [await lifeAfter(absoluteSeconds / 2), await lifeAfter(absoluteSeconds - 100), await lifeAfter(absoluteSeconds + 1)];
    expect(lives).toEqual([accessTokenSeconds, expect.any(Number), 'session_unknown']);
    // Whole seconds, rounded at both ends, less what passed since the row was written.
    expect(lives[1]).toBeLessThanOrEqual(101 + CLOCKS_MS / 1000);
    expect(lives[1]).toBeGreaterThanOrEqual(98 - (CLOCKS_MS + performance.now() - begun) / 1000);
  });

  it('is turned away, not queued for ever, when too many come at once', async () => {
    await using narrow = await startService(cluster, { passwords: { memoryKib: 8192, passes: 3, concurrency: 1, maxWaiting: 2 } });
    // Registered here, one after the other: what a log-in costs is decided then.
    const names: string[] = [];
    while (names.length < 12) names.push((await register(narrow)).username);
    const crowd = async (): Promise<Answer[]> =>
      Promise.all(names.map(async (username) => narrow.send('POST', '/v1/login', { body: { username, password: PASSWORD } })));
    // They meet only where the machine is quick in sending them: until they do.
    let answers = await crowd();
    while (answers.every(({ status }) => status === 200)) answers = await crowd();
    const busy = answers.filter(({ status }) => status === 503);
    for (const answer of busy) {
      expectProblem(answer, 503, 'passwords_busy');
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    expect(answers.filter(({ status }) => status === 200).length).toBe(12 - busy.length);
  });

  it('names a registered public client or none', async () => {
    const { username } = await registered();
    const tryAs = async (clientId: string): Promise<Answer> =>
      auth.send('POST', '/v1/login', { body: { username, password: PASSWORD, clientId } });
    expectProblem(await tryAs('nobody'), 401, 'client_unauthenticated');
    expectProblem(await tryAs('shop'), 401, 'client_unauthenticated');
  });
});

describe('an exchange of a session token', () => {
  const parameters = (token: string): Record<string, string> => ({
    grant_type: EXCHANGE,
    subject_token: token,
    subject_token_type: 'urn:wherry:token-type:session',
  });

  it('gives an access token of the same session', async () => {
    const { sessionToken, accessToken, userId } = await loggedIn();
    const answer = await auth.exchange(parameters(sessionToken));
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 300,
    });
    const issued = claims(String(answer.body['access_token']));
    const first = claims(accessToken);
    expect(issued).toMatchObject({
      sub: userId,
      sid: first['sid'],
      authorities: first['authorities'],
      client_id: 'public',
      auth_time: first['auth_time'],
    });
    expect(issued['jti']).not.toBe(first['jti']);
  });

  it('carries the client that authenticated or said its name', async () => {
    const { sessionToken } = await loggedIn();
    const clientOf = async (extra: Record<string, string>, authorization?: string): Promise<unknown> => {
      const answer = await auth.exchange({ ...parameters(sessionToken), ...extra }, authorization === undefined ? {} : { authorization });
      return answer.status === 200
        ? claims(String(answer.body['access_token']))['client_id']
        : `${answer.status} ${String(answer.body['error'])}`;
    };
    expect(await clientOf({}, basicHeader('shop', 'shop secret'))).toBe('shop');
    expect(await clientOf({ client_id: 'shop' }, basicHeader('shop', 'shop secret'))).toBe('shop');
    expect(await clientOf({ client_id: 'page' })).toBe('page');
    expect(await clientOf({ client_id: 'page' }, basicHeader('shop', 'shop secret'))).toBe('400 invalid_request');
    expect(await clientOf({ client_id: 'shop' })).toBe('401 invalid_client');
    expect(await clientOf({ client_id: 'shop', client_secret: 'shop secret' })).toBe('401 invalid_client');
    expect(await clientOf({}, basicHeader('shop', 'guess'))).toBe('401 invalid_client');
    expect(await clientOf({}, `Bearer ${sessionToken}`)).toBe('401 invalid_client');
  });

  it('is refused with the error of RFC 6749 and a code of ours', async () => {
    const good = parameters((await loggedIn()).sessionToken);
    const right = good['subject_token'] ?? '';
    const mistyped = right.slice(0, -1) + (right.endsWith('_') ? '-' : '_');
    const cases: [string | Record<string, string>, number, string, string][] = [
      [{ ...good, grant_type: 'password' }, 400, 'unsupported_grant_type', 'grant_type_unsupported'],
      [{ ...good, grant_type: '' }, 400, 'invalid_request', 'bad_request'],
      [{ ...good, subject_token: '' }, 400, 'invalid_request', 'bad_request'],
      [{ ...good, subject_token_type: 'urn:other' }, 400, 'invalid_request', 'bad_request'],
      [{ ...good, requested_token_type: 'urn:other' }, 400, 'invalid_request', 'bad_request'],
      [{ ...good, actor_token: 'x' }, 400, 'invalid_request', 'bad_request'],
      [`${new URLSearchParams(good).toString()}&subject_token=x`, 400, 'invalid_request', 'bad_request'],
      ['', 400, 'invalid_request', 'bad_request'],
      [{ ...good, subject_token: 'st_garbage' }, 400, 'invalid_grant', 'session_token_malformed'],
      [{ ...good, subject_token: mistyped }, 400, 'invalid_grant', 'session_token_malformed'],
      [{ ...good, subject_token_type: 'urn:wherry:token-type:legacy-cookie' }, 400, 'invalid_grant', 'session_unknown'],
    ];
    for (const [body, status, error, code] of cases) {
      const answer = await auth.exchange(body);
      expect([answer.status, answer.body['error'], answer.body['code'], answer.headers.get('cache-control')]).toEqual([
        status,
        error,
        code,
        'no-store',
      ]);
      expect(answer.body['error_description']).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
    }
    const json = await auth.send('POST', '/oauth/token', { body: good });
    expect([json.status, json.body['error'], json.body['code']]).toEqual([415, 'invalid_request', 'media_type_unsupported']);
  });
});

describe('an access token', () => {
  it('is verified by another process with keys and revocations of its own, and by the published keys', async () => {
    const { accessToken, userId } = await loggedIn();
    const { control, shards } = cluster.connect();
    const ring: KeyRing = new KeyRing({ database: control, staleMs: () => instance.staleMs(KEY_TOPIC) });
    const ended: RevocationSet = new RevocationSet({ database: control, staleMs: () => instance.staleMs(REVOCATION_TOPIC) });
    const instance = new Instance({ database: control, role: 'gateway', topics: [ring, ended], leaseMs: 3_600_000 });
    try {
      await instance.run();
      const verifier = createVerifier({ keys: ring, revocations: ended, issuer: COMMON.issuer, audience: COMMON.audience, maxLifeS: 300 });
      expect(verifier.verify(accessToken)).toMatchObject({ ok: true, principal: { userId } });
      await propagated(() => auth.send('POST', '/v1/logout', { bearer: accessToken }));
      // Acknowledged and propagated: the other process knows, without waiting.
      expect(verifier.verify(accessToken)).toMatchObject({ ok: false, reason: 'token_session_ended' });
    } finally {
      await instance.stop();
      await shards.stop();
      await control.end();
    }
    const jwks = await auth.send('GET', '/.well-known/jwks.json');
    expect([jwks.headers.get('content-type'), jwks.headers.get('cache-control')]).toEqual([
      expect.stringContaining('application/jwk-set+json'),
      'public, max-age=300',
    ]);
    const [header = '', payload = '', signature = ''] = accessToken.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const keys = jwks.body['keys'] as JsonWebKey[];
    const key = createPublicKey({ key: keys.find((jwk) => jwk['kid'] === kid) ?? {}, format: 'jwk' });
    const signed = Buffer.from(`${header}.${payload}`);
    expect(verifySignature('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(jwks.text).not.toContain('"d"');
  });

  it('of one instance is taken by another, also when each has a key of its own', async () => {
    const { username } = await registered();
    await using own = await startService(cluster, { keyMode: 'process' });
    expect((await own.send('GET', '/readyz')).status).toBe(200);
    const { body } = await own.send('POST', '/v1/login', { body: { username, password: PASSWORD } });
    const answer = await whoami(String(body['accessToken']));
    expect([answer.status, answer.body['username']]).toEqual([200, username]);
    await own.send('POST', '/v1/logout', { bearer: String(body['accessToken']) });
    expectProblem(await whoami(String(body['accessToken'])), 401, 'token_session_ended');
  });
});

describe('a log-out', () => {
  it.each(['accessToken', 'sessionToken'] as const)('by the %s ends both, and can be repeated', async (kind) => {
    const login = await loggedIn();
    const other = await loggedIn(login.username);
    expect((await auth.send('POST', '/v1/logout', { bearer: login[kind] })).status).toBe(204);
    expectProblem(await whoami(login.accessToken), 401, 'token_session_ended');
    expectProblem(await whoami(login.sessionToken), 401, 'session_ended');
    await propagated(() => auth.send('POST', '/v1/logout', { bearer: login[kind] }));
    expect((await whoami(other.accessToken)).status).toBe(200);
    const refused = await auth.exchange({
      grant_type: EXCHANGE,
      subject_token: login.sessionToken,
      subject_token_type: 'urn:wherry:token-type:session',
    });
    expect([refused.status, refused.body['error'], refused.body['code']]).toEqual([400, 'invalid_grant', 'session_ended']);
  });

  it('everywhere ends all sessions and tokens that the user has, and none that he begins later', async () => {
    const first = await loggedIn();
    const second = await loggedIn(first.username);
    const stranger = await loggedIn();
    expect((await auth.send('POST', '/v1/logout-everywhere', { bearer: second.sessionToken })).status).toBe(204);
    for (const login of [first, second]) {
      expectProblem(await whoami(login.accessToken), 401, 'token_generation_old');
      expectProblem(await whoami(login.sessionToken), 401, 'session_ended');
    }
    const again = await loggedIn(first.username);
    expect([
      (await whoami(again.accessToken)).status,
      (await whoami(again.sessionToken)).status,
      (await whoami(stranger.accessToken)).status,
    ]).toEqual([200, 200, 200]);
    expect(claims(again.accessToken)['gen']).toBe(1);
    const rows = await Promise.all(
      cluster.shards.all.map(async ({ database }) =>
        database.query<{ n: number }>('SELECT count(*)::int AS n FROM user_session WHERE user_id = $1 AND deleted_at IS NOT NULL', [
          first.userId,
        ]),
      ),
    );
    expect(rows.reduce((sum, { rows: [row] }) => sum + (row?.n ?? 0), 0)).toBe(2);
    // An old credential is no way to sign the user out again.
    expectProblem(await auth.send('POST', '/v1/logout-everywhere', { bearer: first.accessToken }), 401, 'token_generation_old');
  });

  it('says so when an instance that is alive has not acknowledged it, and is durable all the same', async () => {
    const login = await loggedIn();
    await cluster.control.query(`INSERT INTO instance (id, role, started_at, lease_until, acked)
      VALUES ('mute', 'gateway', 0, wherry_now() + 600000, '{"${REVOCATION_TOPIC}": 0}')`);
    try {
      const answer = await auth.send('POST', '/v1/logout', { bearer: login.accessToken });
      expect([answer.status, answer.headers.get('x-wherry-propagated')]).toEqual([204, 'false']);
    } finally {
      await cluster.control.query(`DELETE FROM instance WHERE id = 'mute'`);
    }
    expectProblem(await whoami(login.accessToken), 401, 'token_session_ended');
  });

  it('is refused to nobody and to garbage', async () => {
    for (const path of ['/v1/logout', '/v1/logout-everywhere']) {
      expectProblem(await auth.send('POST', path), 401, 'unauthenticated');
      expectProblem(await auth.send('POST', path, { bearer: 'st_garbage' }), 401, 'session_token_malformed');
      expectProblem(await auth.send('POST', path, { bearer: 'a.b.c' }), 401, 'token_malformed');
      expectProblem(await auth.send('POST', path, { bearer: 'opaque' }), 401, 'credential_unknown');
    }
    expectProblem(await auth.send('POST', '/v1/logout?access_token=x'), 400, 'bad_request');
  });
});

describe('an operator', () => {
  const byOperator = { bearer: COMMON.operatorSecret };
  const auditOf = async (userId: string): Promise<unknown[]> =>
    (await cluster.control.query(`SELECT actor, action, reason FROM audit WHERE details->>'userId' = $1 ORDER BY id`, [userId])).rows;

  it('revokes all that a user has', async () => {
    const login = await loggedIn();
    const path = `/v1/admin/users/${login.userId}/revoke`;
    expectProblem(await auth.send('POST', path, { body: { reason: 'x' } }), 401, 'unauthenticated');
    expectProblem(await auth.send('POST', path, { body: { reason: 'x' }, bearer: login.accessToken }), 403, 'forbidden');
    expectProblem(await auth.send('POST', path, { body: {}, ...byOperator }), 400, 'bad_request');
    const answer = await auth.send('POST', path, { body: { reason: 'stolen' }, ...byOperator });
    expect([answer.status, answer.body]).toEqual([200, { userId: login.userId, generation: 1, propagated: expect.any(Boolean) }]);
    expectProblem(await whoami(login.accessToken), 401, 'token_generation_old');
    expectProblem(await whoami(login.sessionToken), 401, 'session_ended');
    expect(await auditOf(login.userId)).toEqual([{ actor: 'operator', action: 'user.generation_raised', reason: 'stolen' }]);
  });

  it('changes authorities, which ends what the user holds with the old ones', async () => {
    const login = await loggedIn();
    const body = { authorities: ['user', 'admin'], reason: 'promoted' };
    const answer = await auth.send('POST', `/v1/admin/users/${login.userId}/authorities`, { body, basic: ['ops', 'ops secret'] });
    expect([answer.status, answer.body]).toEqual([
      200,
      { userId: login.userId, authorities: ['user', 'admin'], generation: 1, propagated: expect.any(Boolean) },
    ]);
    expect(await auditOf(login.userId)).toEqual([
      { actor: 'client:ops', action: 'user.authorities_changed', reason: 'promoted' },
      { actor: 'client:ops', action: 'user.generation_raised', reason: 'promoted' },
    ]);
    expectProblem(await whoami(login.accessToken), 401, 'token_generation_old');
    expect((await whoami((await loggedIn(login.username)).accessToken)).body['authorities']).toEqual(['user', 'admin']);
    for (const id of ['1', '0', 'abc', '99999999999999999999', '-1'])
      expectProblem(await auth.send('POST', `/v1/admin/users/${id}/authorities`, { body, ...byOperator }), 404, 'not_found');
  });
});

describe('the rollout', () => {
  it('gives out session tokens alone while it is stateful, and goes on taking the access tokens that are out', async () => {
    const login = await loggedIn();
    await step('rollback');
    try {
      const { status, body } = await auth.send('POST', '/v1/login', { body: { username: login.username, password: PASSWORD } });
      expect([status, Object.keys(body).toSorted()]).toEqual([200, ['authorities', 'sessionExpiresAt', 'sessionToken', 'userId']]);
      const refused = await auth.exchange({
        grant_type: EXCHANGE,
        subject_token: login.sessionToken,
        subject_token_type: 'urn:wherry:token-type:session',
      });
      expect([refused.status, refused.body['error'], refused.body['code']]).toEqual([400, 'unsupported_grant_type', 'access_tokens_off']);
      expect((await whoami(login.accessToken)).status).toBe(200);
    } finally {
      await step('advance');
    }
  });

  it('advises those whom it leads, and lets everybody exchange', async () => {
    const login = await loggedIn();
    const advice = async (): Promise<(string | null)[]> => [
      (await whoami(login.sessionToken)).headers.get('x-wherry-advice'),
      (await whoami(login.accessToken)).headers.get('x-wherry-advice'),
    ];
    expect(await advice()).toEqual([null, null]);
    // Nobody is held out, or one in a hundred runs would have him.
    await changeRolloutSettings(cluster.control, { holdOut: 0 }, { actor: 'test' });
    await step('advance', 100);
    try {
      expect(await advice()).toEqual(['access-token', null]);
    } finally {
      await step('rollback');
    }
  });
});
