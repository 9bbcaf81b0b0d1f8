import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, ORDERS, as } from '../testing/oauth-clients.ts';
import { claims, logIn } from '../testing/people.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';
import { wantsJwt } from './introspection-jwt.ts';

const JWT = 'application/token-introspection+jwt';

let cluster: Cluster;
let auth: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: OAUTH_CLIENTS });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const ask = async (token: string, client = 'watch', headers: Record<string, string> = {}): Promise<Answer> =>
  auth.form('/oauth/introspect', { token }, { ...as(client), ...headers });
const INACTIVE = [200, { active: false }];
const bodyOf = ({ status, body }: Answer): unknown[] => [status, body];

describe('introspection', () => {
  it('tells of an access token all that it says', async () => {
    const { accessToken } = await logIn(auth);
    const answer = await ask(accessToken);
    expect(bodyOf(answer)).toEqual([200, { active: true, token_type: 'Bearer', ...claims(accessToken), gen: undefined }]);
    expect([answer.headers.get('cache-control'), answer.headers.get('vary')]).toEqual(['no-store', 'accept']);
  });

  it('tells of a session token who is signed in, and the same as his access token', async () => {
    const { accessToken, sessionToken, userId, username } = await logIn(auth);
    const { body } = await ask(sessionToken);
    const { sid, auth_time, authorities } = claims(accessToken);
    expect(body).toEqual({
      active: true,
      token_type: 'Bearer',
      iss: COMMON.issuer,
      aud: COMMON.audience,
      sub: userId,
      userId: claims(accessToken)['userId'],
      authorities,
      username,
      client_id: 'public',
      sid,
      iat: auth_time,
      auth_time,
      exp: expect.any(Number),
    });
  });

  it('tells nothing of what does not count', async () => {
    const login = await logIn(auth);
    const mistyped = login.sessionToken.slice(0, -1) + (login.sessionToken.endsWith('_') ? '-' : '_');
    for (const token of ['x', 'a.b.c', `${login.accessToken}A`, 'st_', mistyped, 'rt_x', '..', '\u0000'])
      expect([token, ...bodyOf(await ask(token))]).toEqual([token, ...INACTIVE]);
    await auth.send('POST', '/v1/logout', { bearer: login.accessToken });
    expect(bodyOf(await ask(login.accessToken))).toEqual(INACTIVE);
    expect(bodyOf(await ask(login.sessionToken))).toEqual(INACTIVE);
  });

  it('tells nothing of a user who is disabled, nor of one who is called as a service is', async () => {
    const login = await logIn(auth);
    const body = { reason: 'test' };
    expect((await auth.send('POST', `/v1/admin/users/${login.userId}/disable`, { bearer: COMMON.operatorSecret, body })).status).toBe(200);
    for (const token of [login.accessToken, login.sessionToken]) {
      expect(bodyOf(await ask(token))).toEqual(INACTIVE);
      expect((await auth.form('/oauth/revoke', { token })).status).toBe(200);
    }
    const other = await logIn(auth);
    for (const { database } of cluster.shards.all)
      await database.query(`UPDATE user_session SET user_id = 'client:batch' WHERE user_id = $1`, [other.userId]);
    expect(bodyOf(await ask(other.sessionToken))).toEqual(INACTIVE);
  });

  it('tells a client nothing of tokens for audiences that are not its own', async () => {
    const { accessToken, sessionToken } = await logIn(auth);
    const exchanged = await auth.exchange(
      {
        grant_type: EXCHANGE,
        subject_token: sessionToken,
        subject_token_type: 'urn:wherry:token-type:session',
        audience: ORDERS,
        scope: 'user',
      },
      as('desk'),
    );
    const narrow = String(exchanged.body['access_token']);
    const active = async (token: string, client: string): Promise<unknown> => (await ask(token, client)).body['active'];
    expect([await active(narrow, 'orders'), await active(narrow, 'watch'), await active(narrow, 'desk')]).toEqual([true, false, true]);
    expect([await active(accessToken, 'orders'), await active(sessionToken, 'orders')]).toEqual([false, false]);
    expect((await ask(narrow, 'orders')).body).toMatchObject({ aud: ORDERS, scope: 'user', authorities: ['user'] });
  });

  it('is for clients that authenticate', async () => {
    const { accessToken } = await logIn(auth);
    const cases: [Record<string, string>, Record<string, string>][] = [
      [{}, {}],
      [{ client_id: 'page' }, {}],
      [{ client_id: 'watch' }, {}],
      [{}, { authorization: `Bearer ${accessToken}` }],
      [{}, { authorization: `Bearer ${COMMON.operatorSecret}` }],
      [{}, { authorization: as('watch')['authorization']?.slice(0, -4) ?? '' }],
    ];
    for (const [parameters, headers] of cases) {
      const { status, body, headers: got } = await auth.form('/oauth/introspect', { token: accessToken, ...parameters }, headers);
      expect([status, body['error'], got.get('www-authenticate')]).toEqual([
        401,
        'invalid_client',
        'Basic realm="wherry", charset="UTF-8"',
      ]);
    }
    const empty = await auth.form('/oauth/introspect', {}, as('watch'));
    expect([empty.status, empty.body['error']]).toEqual([400, 'invalid_request']);
  });

  it('is signed where that is asked for, for the client that asked', async () => {
    const { accessToken, userId } = await logIn(auth);
    const keys = createLocalJWKSet((await auth.send('GET', '/.well-known/jwks.json')).body as unknown as JSONWebKeySet);
    for (const [token, expected] of [
      [accessToken, expect.objectContaining({ active: true, sub: userId })],
      ['x', { active: false }],
    ] as const) {
      const answer = await ask(token, 'watch', { accept: JWT });
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, JWT]);
      const { payload } = await jwtVerify(answer.text, keys, { issuer: COMMON.issuer, audience: 'watch', typ: 'token-introspection+jwt' });
      expect(payload['token_introspection']).toEqual(expected);
      expect([payload.sub, payload.exp]).toEqual([undefined, undefined]);
    }
    // Nor does it count as a token of any kind.
    const { text } = await ask(accessToken, 'watch', { accept: JWT });
    expect((await auth.send('GET', '/v1/whoami', { bearer: text })).body['code']).toBe('token_type_wrong');
    expect(bodyOf(await ask(text))).toEqual(INACTIVE);
  });

  it.each<[string | undefined, boolean]>([
    [JWT, true],
    [`${JWT.toUpperCase()};q=0.5, */*;q=0.1`, true],
    [`application/json, ${JWT}`, true],
    [`application/json;q=0.9, ${JWT};q=0.8`, false],
    [`${JWT};q=0`, false],
    [`${JWT};q=x`, false],
    ['*/*', false],
    ['application/*', false],
    ['', false],
    [undefined, false],
  ])('takes Accept: %s as asking for it: %s', (accept, signed) => {
    expect(wantsJwt(accept)).toBe(signed);
  });
});
