import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { claims, logIn, type Login } from '../testing/people.ts';
import { EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

let cluster: Cluster;
let auth: Running;
let other: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: OAUTH_CLIENTS });
  other = await startService(cluster, { clients: OAUTH_CLIENTS });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const revoke = async (token: string, client?: string, extra: Record<string, string> = {}): Promise<Answer> =>
  auth.form('/oauth/revoke', { token, ...extra }, client === undefined ? {} : as(client));
const exchanged = async (login: Login, client?: string, extra: Record<string, string> = {}): Promise<string> => {
  const subject = { subject_token: login.sessionToken, subject_token_type: 'urn:wherry:token-type:session' };
  const { body } = await auth.exchange({ grant_type: EXCHANGE, ...subject, ...extra }, client === undefined ? {} : as(client));
  return String(body['access_token']);
};
const whoami = async (bearer: string, at = auth): Promise<unknown> => {
  const { status, body } = await at.send('GET', '/v1/whoami', { bearer });
  return body['code'] ?? status;
};
/** Until every instance has said in time that it acts on it. */
const propagated = async (work: () => Promise<Answer>): Promise<void> => {
  await expect.poll(async () => (await work()).headers.get('x-wherry-propagated')).not.toBe('false');
};

describe('revocation', () => {
  it('ends one access token on every instance, and neither its session nor another token of it', async () => {
    const login = await logIn(auth);
    const [first, second] = [await exchanged(login), await exchanged(login)];
    const answer = await revoke(first);
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(await whoami(first)).toBe('token_ended');
    await expect.poll(async () => whoami(first, other)).toBe('token_ended');
    expect([await whoami(second), await whoami(second, other), await whoami(login.sessionToken)]).toEqual([200, 200, 200]);
    const watched = await auth.form('/oauth/introspect', { token: first }, as('watch'));
    expect(watched.body).toEqual({ active: false });
    const { rows } = await cluster.control.query(`SELECT value FROM revocation WHERE kind = 'token' AND key = $1`, [claims(first)['jti']]);
    expect(rows).toEqual([{ value: BigInt(Number(claims(first)['exp'])) }]);
  });

  it('ends a session by its token', async () => {
    const login = await logIn(auth);
    await propagated(async () => revoke(login.sessionToken, undefined, { token_type_hint: 'refresh_token' }));
    expect([await whoami(login.sessionToken), await whoami(login.accessToken, other)]).toEqual(['session_ended', 'token_session_ended']);
    // Again, as by a client that lost the answer.
    expect((await revoke(login.sessionToken)).status).toBe(200);
  });

  it('answers 200 for all that is unknown or has ended, and stores nothing', async () => {
    const login = await logIn(auth);
    await auth.send('POST', '/v1/logout', { bearer: login.accessToken });
    const [head = '', , signature = ''] = login.accessToken.split('.');
    const invented = Buffer.from(JSON.stringify({ ...claims(login.accessToken), jti: 'invented' })).toString('base64url');
    const count = async (): Promise<unknown> => (await cluster.control.query(`SELECT count(*)::int AS n FROM revocation`)).rows;
    const before = await count();
    for (const token of ['x', 'a.b.c', `${head}.${invented}.${signature}`, login.accessToken, 'st_', 'rt_unknown', 's:x.y', '\u0000']) {
      const answer = await revoke(token);
      expect([token, answer.status, answer.text, answer.headers.get('x-wherry-propagated')]).toEqual([token, 200, '', null]);
    }
    expect(await count()).toEqual(before);
  });

  it('lets a client that can prove who it is end its own tokens, and nobody else', async () => {
    const login = await logIn(auth);
    const own = await exchanged(login, 'shop');
    for (const [client, extra] of [['desk'], ['watch'], [undefined], [undefined, { client_id: 'page' }]] as const) {
      const answer = await revoke(own, client, extra ?? {});
      expect([answer.status, answer.body['error'], answer.body['code']]).toEqual([400, 'unauthorized_client', 'client_grant_refused']);
    }
    expect((await revoke(own, undefined, { client_id: 'shop' })).body['error']).toBe('invalid_client');
    expect(await whoami(own)).toBe(200);
    expect((await revoke(own, 'shop')).status).toBe(200);
    expect(await whoami(own)).toBe('token_ended');
    // A client without a secret: whoever has its token.
    const free = await exchanged(login, undefined, { client_id: 'page' });
    expect((await revoke(free, undefined, { client_id: 'narrow-page' })).status).toBe(200);
    expect(await whoami(free)).toBe('token_ended');
  });

  it('needs a token', async () => {
    const answer = await auth.form('/oauth/revoke', { token_type_hint: 'access_token' });
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_request']);
  });
});
