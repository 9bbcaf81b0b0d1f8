import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, ORDERS, as } from '../testing/oauth-clients.ts';
import { claims, logIn, newName, register, PASSWORD, type Login } from '../testing/people.ts';
import { proofKey } from '../testing/proof-key.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

let cluster: Cluster;
let one: Running;
let two: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  one = await startService(cluster, { clients: OAUTH_CLIENTS });
  two = await startService(cluster, { clients: OAUTH_CLIENTS, renewal: { reuseEndsSession: true } });
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const SESSION = 'urn:wherry:token-type:session';
const TOKEN_URL = `${COMMON.issuer}/oauth/token`;
const offline = (login: Login, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({
  grant_type: EXCHANGE,
  subject_token_type: SESSION,
  subject_token: login.sessionToken,
  scope: 'offline_access',
  ...more,
});
const refreshOf = (token: unknown): Readonly<Record<string, string>> => ({ grant_type: 'refresh_token', refresh_token: String(token) });
const begun = async (login: Login, more = {}, headers = {}): Promise<string> => {
  const answer = await one.exchange(offline(login, more), headers);
  expect([answer.status, answer.body['code']]).toEqual([200, undefined]);
  return String(answer.body['refresh_token']);
};
const refused = ({ status, body }: Answer): unknown[] => [status, body['error'], body['code']];

describe('a refresh token', () => {
  it('comes with the scope offline_access, and gives an access token of the same session and its successor', async () => {
    const ann = await logIn(one);
    const answer = await one.exchange(offline(ann, { client_id: 'page' }));
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'offline_access',
      refresh_token: expect.stringMatching(/^rt_[\w-]{80}$/),
      refresh_token_expires_in: expect.any(Number),
    });
    const seconds = Number(answer.body['refresh_token_expires_in']);
    expect(seconds).toBeGreaterThan(COMMON.idleSeconds);
    expect(seconds).toBeLessThanOrEqual(COMMON.idleSeconds + COMMON.accessTokenSeconds);
    const before = claims(answer.body['access_token']);
    expect(before['scope']).toBeUndefined();
    const renewed = await two.exchange(refreshOf(answer.body['refresh_token']));
    expect([renewed.status, renewed.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(renewed.body).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      token_type: 'Bearer',
      expires_in: 300,
      refresh_token: expect.stringMatching(/^rt_[\w-]{80}$/),
      refresh_token_expires_in: expect.any(Number),
    });
    const after = claims(renewed.body['access_token']);
    for (const name of ['sid', 'sub', 'userId', 'username', 'authorities', 'aud', 'client_id', 'gen', 'auth_time'])
      expect([name, after[name]]).toEqual([name, before[name]]);
    expect(after['jti']).not.toBe(before['jti']);
    expect((await one.send('GET', '/v1/whoami', { bearer: String(renewed.body['access_token']) })).status).toBe(200);
  });

  it('is not given where it is not asked for, by a token that is exchanged, or to a client that may not', async () => {
    const ann = await logIn(one);
    const { scope: _, ...plain } = offline(ann);
    expect((await one.exchange(plain)).body['refresh_token']).toBeUndefined();
    const access = { subject_token: ann.accessToken, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
    for (const [form, headers] of [
      [offline(ann, access), {}],
      [offline(ann), as('batch')],
    ] as const)
      expect(refused(await one.exchange(form, headers))).toEqual([400, 'invalid_scope', 'scope_invalid']);
    expect(refused(await one.exchange(refreshOf('rt_x'), as('batch')))).toEqual([400, 'unauthorized_client', 'client_grant_refused']);
    expect(refused(await one.exchange({ grant_type: 'refresh_token' }))).toEqual([400, 'invalid_request', 'bad_request']);
  });

  it('has one successor, whoever of a hundred presents it at two instances', async () => {
    const token = await begun(await logIn(one));
    const answers = await Promise.all(Array.from({ length: 100 }, async (_, n) => (n % 2 === 0 ? one : two).exchange(refreshOf(token))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const successors = new Set(answers.map(({ body }) => body['refresh_token']));
    expect(successors.size).toBe(1);
    const [successor] = successors;
    expect((await one.exchange(refreshOf(successor))).status).toBe(200);
  });

  it('is answered again when its answer was lost, with the same successor', async () => {
    const token = await begun(await logIn(one));
    const lost = await one.exchange(refreshOf(token));
    const again = await two.exchange(refreshOf(token));
    expect([again.status, again.body['refresh_token']]).toEqual([200, lost.body['refresh_token']]);
    expect((await one.exchange(refreshOf(again.body['refresh_token']))).status).toBe(200);
  });

  it('ends its family when it is used again after its successor, and that is told once', async () => {
    const ann = await logIn(one);
    const stolen = await begun(ann);
    const second = (await one.exchange(refreshOf(stolen))).body['refresh_token'];
    const third = (await one.exchange(refreshOf(second))).body['refresh_token'];
    for (const token of [stolen, third, second]) {
      expect(refused(await one.exchange(refreshOf(token)))).toEqual([400, 'invalid_grant', 'renewal_reused']);
    }
    // The session goes on: who has it gets another family.
    expect((await one.send('GET', '/v1/whoami', { bearer: ann.sessionToken })).status).toBe(200);
    expect((await one.exchange(refreshOf(await begun(ann)))).status).toBe(200);
    const { rows } = await cluster.control.query<{ details: Record<string, unknown> }>(
      `SELECT details FROM audit WHERE action = 'renewal.reused' AND details->>'userId' = $1`,
      [ann.userId],
    );
    expect(rows.map(({ details }) => details)).toEqual([
      {
        userId: ann.userId,
        clientId: 'public',
        sessionId: claims(ann.accessToken)['sid'],
        family: expect.stringMatching(/^\d+$/),
        sessionEnded: false,
      },
    ]);
  });

  it('takes the session with it where that is configured', async () => {
    const ann = await logIn(one);
    const stolen = await begun(ann);
    const second = (await two.exchange(refreshOf(stolen))).body['refresh_token'];
    expect((await two.exchange(refreshOf(second))).status).toBe(200);
    expect(refused(await two.exchange(refreshOf(stolen)))).toEqual([400, 'invalid_grant', 'renewal_reused']);
    for (const bearer of [ann.sessionToken, ann.accessToken]) expect((await two.send('GET', '/v1/whoami', { bearer })).status).toBe(401);
  });
});

describe('what a refresh token is bound to', () => {
  it('is the client that began it, where that can prove who it is', async () => {
    const token = await begun(await logIn(one), {}, as('shop'));
    for (const headers of [{}, as('desk')])
      expect(refused(await one.exchange(refreshOf(token), headers))).toEqual([400, 'invalid_grant', 'renewal_unknown']);
    const renewed = await one.exchange(refreshOf(token), as('shop'));
    expect([renewed.status, claims(renewed.body['access_token'])['client_id']]).toEqual([200, 'shop']);
  });

  it('is the key that a client proves which cannot', async () => {
    const [key, other] = [await proofKey(), await proofKey()];
    const token = await begun(await logIn(one), { client_id: 'page' }, await key.proof('POST', TOKEN_URL));
    for (const headers of [{}, await other.proof('POST', TOKEN_URL)])
      expect(refused(await one.exchange(refreshOf(token), headers))).toEqual([400, 'invalid_grant', 'renewal_unknown']);
    const renewed = await one.exchange(refreshOf(token), await key.proof('POST', TOKEN_URL));
    expect([renewed.status, renewed.body['token_type']]).toEqual([200, 'DPoP']);
    expect(claims(renewed.body['access_token'])['cnf']).toEqual({ jkt: key.jkt });
  });

  it('is the scope and the audience that it was asked for with', async () => {
    const { username } = await register(one, ['user', 'orders:write']);
    const ann = await logIn(one, username);
    const narrow = { client_id: 'narrow-page', scope: 'orders:write offline_access', audience: ORDERS };
    const answer = await one.exchange(offline(ann, narrow));
    expect(answer.body['scope']).toBe('orders:write offline_access');
    const token = String(answer.body['refresh_token']);
    expect(token).toMatch(/^rt_[\w-]{80}\.[\w-]+$/);
    const renewed = await one.exchange(refreshOf(token));
    const said = claims(renewed.body['access_token']);
    expect([said['aud'], said['scope'], said['authorities']]).toEqual([ORDERS, 'orders:write', ['orders:write']]);
    // Without its terms, or with other ones, it is no refresh token.
    const next = String(renewed.body['refresh_token']);
    const [bare = ''] = next.split('.');
    const wide = Buffer.from('{"scope":"user orders:write"}').toString('base64url');
    for (const forged of [bare, `${bare}.`, `${bare}.${wide}`, `${next}.`, `${bare}.bm90IGpzb24`, `${bare}.W10`])
      expect(refused(await one.exchange(refreshOf(forged)))).toEqual([400, 'invalid_grant', 'renewal_unknown']);
    // More than it was begun with is refused, and costs nothing.
    for (const [more, code] of [
      [{ scope: 'user' }, 'scope_invalid'],
      [{ audience: COMMON.audience }, 'target_invalid'],
    ] as const)
      expect((await one.exchange({ ...refreshOf(next), ...more })).body['code']).toBe(code);
    expect((await one.exchange(refreshOf(next))).status).toBe(200);
  });

  it('is nothing where no key was proved when it began, with terms or without: its client may begin to', async () => {
    const { username } = await register(one, ['user', 'orders:write']);
    const ann = await logIn(one, username);
    const narrow = { client_id: 'page', scope: 'orders:write offline_access' };
    for (const more of [{ client_id: 'page' }, narrow]) {
      let token = await begun(ann, more);
      // At first, after one without, and with another key: the access token is bound, the family is not.
      for (const key of [await proofKey(), undefined, await proofKey()]) {
        const headers = key === undefined ? {} : await key.proof('POST', TOKEN_URL);
        const renewed = await one.exchange({ ...refreshOf(token), client_id: 'page', scope: 'orders:write' }, headers);
        expect([renewed.status, renewed.body['code']]).toEqual([200, undefined]);
        const said = claims(renewed.body['access_token']);
        expect([said['authorities'], said['cnf']]).toEqual([['orders:write'], key === undefined ? undefined : { jkt: key.jkt }]);
        token = String(renewed.body['refresh_token']);
      }
      // It is still the one of its terms.
      const forged = `${token.split('.')[0]}.${Buffer.from('{"scope":"user"}').toString('base64url')}`;
      for (const headers of [{}, await (await proofKey()).proof('POST', TOKEN_URL)])
        if (more === narrow)
          expect(refused(await one.exchange(refreshOf(forged), headers))).toEqual([400, 'invalid_grant', 'renewal_unknown']);
    }
    // One that a key was proved for stays with that key, terms or not.
    const key = await proofKey();
    for (const more of [{ client_id: 'page' }, narrow]) {
      const token = await begun(ann, more, await key.proof('POST', TOKEN_URL));
      for (const headers of [{}, await (await proofKey()).proof('POST', TOKEN_URL)])
        expect(refused(await one.exchange(refreshOf(token), headers))).toEqual([400, 'invalid_grant', 'renewal_unknown']);
      expect((await one.exchange(refreshOf(token), await key.proof('POST', TOKEN_URL))).status).toBe(200);
    }
  });

  it('is nothing that a stranger could guess from a session', async () => {
    const ann = await logIn(one);
    const token = await begun(ann);
    const bytes = Buffer.from(token.slice(3), 'base64url');
    expect(bytes.readBigUInt64BE(0).toString()).toBe(claims(ann.accessToken)['sid']);
    const other = Buffer.from((await begun(await logIn(one))).slice(3), 'base64url');
    for (const forged of [`rt_${other.toString('base64url').slice(0, 79)}`, 'rt_', 'rt_.', `${token}x`, ann.sessionToken, ann.accessToken])
      expect(refused(await one.exchange(refreshOf(forged)))).toEqual([400, 'invalid_grant', 'renewal_unknown']);
  });
});

describe('the end of a refresh token', () => {
  it('comes with the end of its session, its user, or by itself', async () => {
    const operator = { bearer: COMMON.operatorSecret };
    const ends: Record<string, (login: Login, token: string) => Promise<Answer>> = {
      session_ended: async ({ sessionToken }) => one.send('POST', '/v1/logout', { bearer: sessionToken }),
      token_generation_old: async ({ accessToken }) => one.send('POST', '/v1/logout-everywhere', { bearer: accessToken }),
      user_disabled: async ({ userId }) => one.send('POST', `/v1/admin/users/${userId}/disable`, { body: { reason: 'x' }, ...operator }),
      renewal_ended: async (_, token) => one.form('/oauth/revoke', { token, token_type_hint: 'refresh_token' }),
    };
    for (const [code, end] of Object.entries(ends)) {
      const login = await logIn(one);
      const token = await begun(login);
      const next = String((await two.exchange(refreshOf(token))).body['refresh_token']);
      expect((await end(login, next)).status).toBeLessThan(300);
      for (const at of [one, two]) {
        const answer = await at.exchange(refreshOf(next));
        // Whoever was ended everywhere has lost the session too, which is what is read first.
        const expected = code === 'token_generation_old' ? ['session_ended', code] : [code];
        expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_grant']);
        expect(expected).toContain(answer.body['code']);
      }
      const text = 'SELECT 1 FROM token_family WHERE user_id = $1 AND ended_at IS NULL';
      for (const shard of cluster.shards.all)
        expect((await shard.query({ name: 'test-alive', text, values: [login.userId] })).rows).toHaveLength(0);
    }
  });

  it('comes to one that has run out, and a session that has run out', async () => {
    await using brief = await startService(cluster, { clients: OAUTH_CLIENTS, idleSeconds: 1, accessTokenSeconds: 1, absoluteSeconds: 3 });
    const username = newName();
    await brief.send('POST', '/v1/users', { body: { username, password: PASSWORD } });
    // On a busy machine a session of a second may be over before it is asked about.
    const answer = await vi.waitFor(async () => {
      const { body } = await brief.send('POST', '/v1/login', { body: { username, password: PASSWORD } });
      const answered = await brief.exchange(offline(body as unknown as Login));
      expect(answered.status).toBe(200);
      return answered;
    });
    const codes = new Set<unknown>();
    await expect
      .poll(async () => {
        const { status, body: said } = await brief.exchange(refreshOf(answer.body['refresh_token']));
        if (status !== 200) codes.add(said['code']);
        return status;
      })
      .toBe(400);
    expect(['session_unknown', 'session_expired', 'renewal_expired']).toEqual(expect.arrayContaining([...codes]));
  });

  it("is another client's business only where that has it", async () => {
    const token = await begun(await logIn(one), {}, as('shop'));
    expect((await one.form('/oauth/revoke', { token }, as('desk'))).status).toBe(200);
    expect((await one.exchange(refreshOf(token), as('shop'))).status).toBe(200);
  });
});

describe('introspection of a refresh token', () => {
  it('tells the client that has it, and changes nothing', async () => {
    const { username } = await register(one, ['user', 'orders:write']);
    const ann = await logIn(one, username);
    const token = await begun(ann, { scope: 'user offline_access' }, as('shop'));
    const asked = (form: string, client: string): Promise<Answer> => one.form('/oauth/introspect', { token: form }, as(client));
    const { body } = await asked(token, 'shop');
    expect(body).toMatchObject({
      active: true,
      token_type: 'refresh_token',
      client_id: 'shop',
      sub: ann.userId,
      scope: 'user',
      authorities: ['user'],
    });
    expect(Number(body['exp'])).toBeGreaterThan(Date.now() / 1000);
    expect((await asked(token, 'desk')).body).toEqual({ active: false });
    const renewed = await one.exchange(refreshOf(token), as('shop'));
    expect(renewed.status).toBe(200);
    const next = String(renewed.body['refresh_token']);
    expect((await asked(next, 'shop')).body['active']).toBe(true);
    for (const dead of ['rt_x', `${next}x`, next.split('.')[0] ?? '']) expect((await asked(dead, 'shop')).body).toEqual({ active: false });
    await one.send('POST', '/v1/logout', { bearer: ann.sessionToken });
    expect((await asked(next, 'shop')).body).toEqual({ active: false });
  });
});
