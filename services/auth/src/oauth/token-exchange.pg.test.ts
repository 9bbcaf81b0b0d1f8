import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { BILLING, OAUTH_CLIENTS, ORDERS, as } from '../testing/oauth-clients.ts';
import { claims, logIn, register, type Login } from '../testing/people.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Form, type Running } from '../testing/service.ts';

const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
const SESSION = 'urn:wherry:token-type:session';
const HELD = ['user', 'orders:read', 'orders:write', 'mit Leerzeichen'];

let cluster: Cluster;
let auth: Running;
let someone: Login;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: OAUTH_CLIENTS });
  someone = await login();
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const login = async (): Promise<Login> => logIn(auth, (await register(auth, HELD)).username);
type Extra = Exclude<Form, string>;
const exchange = async (type: string, token: string, extra: Extra = {}, client?: string): Promise<Answer> =>
  auth.exchange({ grant_type: EXCHANGE, subject_token_type: type, subject_token: token, ...extra }, client === undefined ? {} : as(client));
const ofToken = async (token: string, extra: Extra = {}, client?: string): Promise<Answer> => exchange(ACCESS, token, extra, client);
const ofSession = async (login: Login, extra: Extra = {}, client?: string): Promise<Answer> =>
  exchange(SESSION, login.sessionToken, extra, client);
const tokenOf = ({ status, body }: Answer): string => {
  expect([status, body]).toEqual([200, expect.objectContaining({ issued_token_type: ACCESS, token_type: 'Bearer' })]);
  return String(body['access_token']);
};
const refusalOf = ({ status, body }: Answer): unknown[] => [status, body['error'], body['code']];
const whoami = async (bearer: string): Promise<unknown[]> => {
  const { status, body } = await auth.send('GET', '/v1/whoami', { bearer });
  return [status, body['code'] ?? body['userId']];
};

describe('an exchange', () => {
  it('gives a token for other audiences where the client may have them, by name or by resource', async () => {
    const aud = async (extra: Extra, client?: string): Promise<unknown> => {
      const answer = await ofSession(someone, extra, client);
      return answer.status === 200 ? claims(answer.body['access_token'])['aud'] : answer.body['error'];
    };
    expect([await aud({}), await aud({}, 'desk'), await aud({}, 'orders')]).toEqual([COMMON.audience, COMMON.audience, ORDERS]);
    expect(await aud({ audience: BILLING }, 'desk')).toBe(BILLING);
    expect(await aud({ resource: ORDERS }, 'desk')).toBe(ORDERS);
    expect(await aud({ audience: [BILLING, BILLING], resource: [ORDERS] }, 'desk')).toEqual([BILLING, ORDERS]);
    const refused: [Extra, string | undefined][] = [
      [{ audience: ORDERS }, undefined],
      [{ audience: ORDERS }, 'shop'],
      [{ audience: COMMON.audience }, 'orders'],
      [{ audience: 'nobody' }, 'desk'],
      [{ audience: [BILLING, 'nobody'] }, 'desk'],
      [{ resource: BILLING }, 'desk'],
      [{ resource: `${ORDERS}#part` }, 'desk'],
      [{ resource: '/orders' }, 'desk'],
    ];
    for (const [extra, client] of refused) expect([extra, client, await aud(extra, client)]).toEqual([extra, client, 'invalid_target']);
  });

  it('gives fewer authorities by scope, and says which; never more, and none silently less', async () => {
    const answer = await ofSession(someone, { scope: 'orders:read user' });
    expect(answer.body['scope']).toBe('orders:read user');
    expect(claims(tokenOf(answer))).toMatchObject({ authorities: ['orders:read', 'user'], scope: 'orders:read user' });
    const whole = await ofSession(someone);
    expect([claims(tokenOf(whole))['authorities'], whole.body['scope'], claims(tokenOf(whole))['scope']]).toEqual([
      HELD,
      undefined,
      undefined,
    ]);
    for (const scope of ['admin', 'user admin', 'user  orders:read', ' user', 'user\torders:read', 'mit Leerzeichen', 'us"er'])
      expect([scope, ...refusalOf(await ofSession(someone, { scope }))]).toEqual([scope, 400, 'invalid_scope', 'scope_invalid']);
  });

  it('of an access token gives one that can do at most as much, and never outlives it', async () => {
    const first = tokenOf(await ofSession(someone, { scope: 'user orders:read', audience: [ORDERS, BILLING] }, 'desk'));
    const kept = claims(tokenOf(await ofToken(first, {}, 'desk')));
    expect(kept).toMatchObject({ scope: 'user orders:read', authorities: ['user', 'orders:read'], aud: [ORDERS, BILLING] });
    const second = tokenOf(await ofToken(first, { scope: 'user', audience: ORDERS }, 'desk'));
    const [of, to] = [claims(first), claims(second)];
    expect(to).toMatchObject({ sub: of['sub'], sid: of['sid'], gen: of['gen'], iat: of['iat'], auth_time: of['auth_time'], aud: ORDERS });
    expect(to['exp']).toBeLessThanOrEqual(Number(of['exp']));
    expect(to['jti']).not.toBe(of['jti']);
    expect(to['act']).toBeUndefined();
    const refused: [Extra, string][] = [
      [{ audience: BILLING }, 'invalid_target'],
      [{ audience: COMMON.audience }, 'invalid_target'],
      [{ scope: 'orders:read' }, 'invalid_scope'],
    ];
    for (const [extra, error] of refused) expect([extra, (await ofToken(second, extra, 'desk')).body['error']]).toEqual([extra, error]);
  });

  it('never widens, in whatever order it is narrowed', async () => {
    const names = HELD.slice(0, 3);
    const audiences = [COMMON.audience, ORDERS, BILLING];
    const step = fc.record({ scope: fc.subarray(names), audience: fc.subarray(audiences) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        let token = tokenOf(await ofSession(someone, {}, 'desk'));
        let may = { authorities: HELD, audiences };
        for (const { scope, audience } of steps) {
          const asked = { ...(scope.length === 0 ? {} : { scope: scope.join(' ') }), ...(audience.length === 0 ? {} : { audience }) };
          const answer = await ofToken(token, asked, 'desk');
          const allowed = scope.every((name) => may.authorities.includes(name)) && audience.every((name) => may.audiences.includes(name));
          expect([answer.status === 200, asked]).toEqual([allowed, asked]);
          if (!allowed) continue;
          token = String(answer.body['access_token']);
          const { aud, authorities } = claims(token) as { aud: string | string[]; authorities: string[] };
          expect(authorities).toEqual(scope.length === 0 ? may.authorities : scope);
          const list = typeof aud === 'string' ? [aud] : aud;
          may = { authorities, audiences: list.includes(COMMON.audience) ? audiences : list };
        }
      }),
      { numRuns: 25 },
    );
  });

  it('names who acts for the user, the latest outermost, and only one who has proved who he is', async () => {
    const own = tokenOf(await ofSession(someone, {}, 'shop'));
    const byDesk = tokenOf(await ofToken(own, {}, 'desk'));
    expect(claims(byDesk)).toMatchObject({ client_id: 'desk', act: { sub: 'desk' } });
    const byOrders = claims(tokenOf(await ofToken(byDesk, { audience: ORDERS }, 'orders')));
    expect(byOrders).toMatchObject({ client_id: 'orders', act: { sub: 'orders', act: { sub: 'desk' } }, aud: ORDERS });
    expect(claims(tokenOf(await ofToken(byDesk, {}, 'desk')))['act']).toEqual({ sub: 'desk' });
    // Whose token it is may not be said by a name alone, where that client has a secret.
    for (const extra of [{}, { client_id: 'page' }, { client_id: 'narrow-page' }])
      expect(refusalOf(await ofToken(own, extra))).toEqual([400, 'unauthorized_client', 'client_grant_refused']);
    const free = tokenOf(await ofSession(someone, { client_id: 'page' }));
    expect(claims(tokenOf(await ofToken(free, { scope: 'user' })))).toMatchObject({ client_id: 'page', authorities: ['user'] });
  });

  it('refuses more actors within each other than a token holds', async () => {
    let token = tokenOf(await ofSession(someone, { client_id: 'page' }));
    for (const client of ['desk', 'shop', 'desk', 'shop']) token = tokenOf(await ofToken(token, {}, client));
    expect(refusalOf(await ofToken(token, {}, 'desk'))).toEqual([400, 'invalid_request', 'grant_invalid']);
  });

  it('gives no longer life than the client may have, nor than is left of the subject', async () => {
    const short = await ofSession(someone, { client_id: 'narrow-page' });
    expect(short.body['expires_in']).toBe(30);
    const answer = await ofToken(tokenOf(short));
    expect(answer.body['expires_in']).toBeLessThanOrEqual(30);
    expect(claims(tokenOf(answer))['exp']).toBe(claims(tokenOf(short))['exp']);
    const long = await ofToken(tokenOf(await ofSession(someone)), { client_id: 'narrow-page' });
    expect(long.body['expires_in']).toBeLessThanOrEqual(30);
  });

  it('gives what ends with the session, with the user, and with all that was issued up to a moment', async () => {
    const end: ((login: Login) => Promise<unknown>)[] = [
      async ({ sessionToken }) => auth.send('POST', '/v1/logout', { bearer: sessionToken }),
      async ({ sessionToken }) => auth.send('POST', '/v1/logout-everywhere', { bearer: sessionToken }),
      async ({ userId }) =>
        auth.send('POST', `/v1/admin/users/${userId}/revoke`, { bearer: COMMON.operatorSecret, body: { reason: 'test' } }),
    ];
    for (const ending of end) {
      const of = await login();
      const derived = tokenOf(await ofToken(tokenOf(await ofToken(of.accessToken, {}, 'desk')), { scope: 'user' }, 'desk'));
      expect(await whoami(derived)).toEqual([200, of.userId]);
      await ending(of);
      expect(await whoami(derived)).toEqual([401, expect.stringMatching(/^token_/)]);
      expect(refusalOf(await ofToken(derived, {}, 'desk'))[1]).toBe('invalid_grant');
    }
  });

  it('refuses subjects that do not count', async () => {
    const { accessToken } = await login();
    const [signed, signature] = [accessToken.replace(/\.[^.]*$/, ''), accessToken.replace(/^.*\./, '')];
    const forged = `${signed}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    const cases: [string, string, unknown[]][] = [
      [ACCESS, forged, [400, 'invalid_grant', 'token_signature_invalid']],
      [ACCESS, 'x.y.z', [400, 'invalid_grant', 'token_malformed']],
      [ACCESS, someone.sessionToken, [400, 'invalid_grant', 'token_malformed']],
      [SESSION, accessToken, [400, 'invalid_grant', 'session_token_malformed']],
      ['urn:ietf:params:oauth:token-type:refresh_token', accessToken, [400, 'invalid_request', 'bad_request']],
      ['urn:ietf:params:oauth:token-type:jwt', accessToken, [400, 'invalid_request', 'bad_request']],
    ];
    for (const [type, token, refusal] of cases) expect([type, refusalOf(await exchange(type, token))]).toEqual([type, refusal]);
    expect(refusalOf(await ofToken(accessToken, { actor_token: accessToken, actor_token_type: ACCESS }, 'desk'))[1]).toBe(
      'invalid_request',
    );
    expect(refusalOf(await ofToken(accessToken, {}, 'watch'))).toEqual([400, 'unauthorized_client', 'client_grant_refused']);
  });
});

describe('a service', () => {
  const SERVICE = { grant_type: 'client_credentials' };

  it('has a token in its own name, with its own authorities and life', async () => {
    const answer = await auth.exchange(SERVICE, as('batch'));
    expect([answer.status, answer.body]).toEqual([200, { access_token: expect.any(String), token_type: 'Bearer', expires_in: 60 }]);
    const token = String(answer.body['access_token']);
    expect(claims(token)).toMatchObject({
      sub: 'client:batch',
      client_id: 'batch',
      authorities: ['stock:read', 'stock:write'],
      aud: COMMON.audience,
    });
    expect(claims(token)['sid']).toBeUndefined();
    expect(await whoami(token)).toEqual([200, 'client:batch']);
    const narrow = await auth.exchange({ ...SERVICE, scope: 'stock:read', audience: ORDERS }, as('batch'));
    expect([narrow.body['scope'], claims(narrow.body['access_token'])]).toEqual([
      'stock:read',
      expect.objectContaining({ authorities: ['stock:read'], aud: ORDERS }),
    ]);
    const again = await ofToken(token, { scope: 'stock:write' }, 'batch');
    expect(claims(tokenOf(again))).toMatchObject({ sub: 'client:batch', authorities: ['stock:write'], iat: claims(token)['iat'] });
  });

  it('is ended and kept out as a user is, and comes back', async () => {
    const issue = async (): Promise<Answer> => auth.exchange(SERVICE, as('batch'));
    const operate = async (act: string): Promise<void> => {
      const path = `/v1/admin/users/client:batch/${act}`;
      expect((await auth.send('POST', path, { bearer: COMMON.operatorSecret, body: { reason: 'test' } })).status).toBe(200);
    };
    const first = String((await issue()).body['access_token']);
    await operate('revoke');
    expect(await whoami(first)).toEqual([401, 'token_generation_old']);
    const second = String((await issue()).body['access_token']);
    expect((await whoami(second))[0]).toBe(200);
    expect((await whoami(tokenOf(await ofToken(second, { scope: 'stock:read' }, 'batch'))))[0]).toBe(200);
    await operate('disable');
    expect(await whoami(second)).toEqual([401, 'token_generation_old']);
    expect(refusalOf(await issue())).toEqual([400, 'invalid_grant', 'user_disabled']);
    await operate('enable');
    expect((await whoami(String((await issue()).body['access_token'])))[0]).toBe(200);
  });

  it('is nobody else, and nobody else is one', async () => {
    expect(refusalOf(await auth.exchange({ ...SERVICE, scope: 'admin' }, as('batch')))[1]).toBe('invalid_scope');
    for (const client of ['shop', 'desk', 'watch'])
      expect(refusalOf(await auth.exchange(SERVICE, as(client)))).toEqual([400, 'unauthorized_client', 'client_grant_refused']);
    for (const extra of [{}, { client_id: 'page' }])
      expect(refusalOf(await auth.exchange({ ...SERVICE, ...extra }))[1]).toBe('unauthorized_client');
    expect(refusalOf(await auth.exchange({ ...SERVICE, client_id: 'batch' }))).toEqual([401, 'invalid_client', 'client_unauthenticated']);
    const token = String((await auth.exchange(SERVICE, as('batch'))).body['access_token']);
    expect(refusalOf(await ofToken(token, {}, 'desk'))).toEqual([400, 'unauthorized_client', 'client_grant_refused']);
    expect(refusalOf(await ofToken(token))).toEqual([400, 'unauthorized_client', 'client_grant_refused']);
    // No session stands behind it that it could sign out of.
    expect((await auth.send('POST', '/v1/logout', { bearer: token })).status).toBe(400);
  });
});

describe('the last of all', () => {
  it('is a bound for all tokens up to a moment, which reaches what was made from them after it', async () => {
    const { revocations } = auth.service.runtime;
    const { accessToken } = await login();
    const derived = tokenOf(await ofToken(accessToken));
    expect((await whoami(derived))[0]).toBe(200);
    // Not heard of while the exchange was under way: the new token says no later second than its subject.
    await revocations.raiseIssuerNotBefore(Number(claims(accessToken)['iat']), 'test', 'test');
    expect(await whoami(derived)).toEqual([401, 'token_revoked']);
  });
});
