import { PATIENT_MS } from '@wherry/embedded/testing';
import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { PASSWORD, claims, register } from '../testing/people.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

const GRANT = 'urn:wherry:grant-type:expired-access-token';
/** Short, so that it runs out here; it may be renewed for twice as long, and the skew. */
const LIFE_S = 3;
const CLIENTS = [
  ...(COMMON.clients ?? []),
  { id: 'kiosk', grants: ['token-exchange', 'expired-access-token'] as const },
  { id: 'till', secret: 'till secret', grants: ['expired-access-token'] as const },
];

let cluster: Cluster;
let auth: Running;
/** The same with tokens that do not run out here. */
let patient: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  const renewal = { bearerOnly: { maxRenewals: 2 } };
  auth = await startService(cluster, { clients: CLIENTS, accessTokenSeconds: LIFE_S, renewal });
  patient = await startService(cluster, { clients: CLIENTS, accessTokenSeconds: 600, renewal });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await patient[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const logIn = async (clientId: string, at = auth): Promise<Record<string, unknown>> => {
  const { username } = await register(at, ['user', 'orders:write']);
  return (await at.send('POST', '/v1/login', { body: { username, password: PASSWORD, clientId } })).body;
};
const renew = (token: unknown, more = {}, at = auth): Promise<Answer> =>
  at.exchange({ grant_type: GRANT, access_token: String(token), client_id: 'kiosk', ...more });
/** The answer as soon as the token has run out. */
const renewedOnceOver = async (token: unknown): Promise<Answer> =>
  vi.waitFor(
    async () => {
      const answer = await renew(token);
      expect(answer.body['code']).not.toBe('bad_request');
      return answer;
    },
    { timeout: PATIENT_MS, interval: 100 },
  );

describe('an access token that is renewed by itself', () => {
  it('is so when it has run out, as often as is allowed, and a replay ends the family', async () => {
    const login = await logIn('kiosk');
    const [first, other] = [login['accessToken'], (await logIn('kiosk'))['accessToken']];
    expect([login['renewal'], claims(first)['jti']]).toEqual(['bearer', expect.stringMatching(/^rj_/)]);
    const { accessToken: fresh } = await logIn('kiosk', patient);
    expect((await renew(fresh, {}, patient)).body['code']).toBe('bad_request');
    const exchange = {
      grant_type: EXCHANGE,
      subject_token_type: 'urn:wherry:token-type:session',
      client_id: 'kiosk',
      scope: 'orders:write',
    };
    const narrowed = await auth.exchange({ ...exchange, subject_token: String(login['sessionToken']) });
    expect(narrowed.body['renewal']).toBe('bearer');

    const second = await renewedOnceOver(first);
    expect([second.status, second.body]).toEqual([
      200,
      { access_token: expect.stringMatching(/^eyJ/), token_type: 'Bearer', expires_in: LIFE_S, renewal: 'bearer' },
    ]);
    const [before, after] = [claims(first), claims(second.body['access_token'])];
    for (const name of ['sid', 'sub', 'aud', 'client_id', 'authorities', 'gen']) expect([name, after[name]]).toEqual([name, before[name]]);
    const keepsScope = await renewedOnceOver(narrowed.body['access_token']);
    expect(claims(keepsScope.body['access_token'])).toMatchObject({ scope: 'orders:write', authorities: ['orders:write'] });

    // What is changed in it, or was signed by nobody, is nothing.
    const [head, , signature] = String(other).split('.');
    const forged = Buffer.from(JSON.stringify({ ...claims(other), jti: before['jti'] })).toString('base64url');
    expect((await renew(`${head}.${forged}.${signature}`)).body['code']).toBe('token_signature_invalid');
    for (const bad of ['x', login['sessionToken'], 'rt_x']) expect((await renew(bad)).status).toBe(400);
    // Of another client it is unknown.
    expect((await renew(other, { client_id: 'page' })).body['error']).toBe('unauthorized_client');
    const till = { authorization: `Basic ${Buffer.from('till:till%20secret').toString('base64')}` };
    expect((await auth.exchange({ grant_type: GRANT, access_token: String(other) }, till)).body['code']).toBe('renewal_unknown');

    const third = await renewedOnceOver(second.body['access_token']);
    expect(third.status).toBe(200);
    expect((await renew(first)).body['code']).toBe('renewal_reused');
    const fourth = await renewedOnceOver(third.body['access_token']);
    expect(fourth.body['code']).toBe('renewal_reused');
  });

  it('is so twice, where that is the most, and lost answers do not count', async () => {
    let last = (await logIn('kiosk'))['accessToken'];
    for (let n = 0; n < 2; n++) {
      const answer = await renewedOnceOver(last);
      expect(answer.status).toBe(200);
      const again = await renew(last);
      expect(claims(again.body['access_token'])['jti']).toBe(claims(answer.body['access_token'])['jti']);
      last = again.body['access_token'];
    }
    expect((await renewedOnceOver(last)).body['code']).toBe('renewal_expired');
  });

  it('is none any more when it was revoked, or its session was', async () => {
    const [revoked, ended] = [await logIn('kiosk'), await logIn('kiosk')];
    expect((await auth.form('/oauth/revoke', { token: String(revoked['accessToken']) })).status).toBe(200);
    expect((await auth.send('POST', '/v1/logout', { bearer: String(ended['sessionToken']) })).status).toBe(204);
    for (const [login, codes] of [
      [revoked, ['token_ended', 'renewal_ended']],
      [ended, ['token_session_ended', 'session_ended']],
    ] as const) {
      const answer = await renewedOnceOver(login['accessToken']);
      expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_grant']);
      expect(codes).toContain(answer.body['code']);
    }
    for (const shard of cluster.shards.all) {
      const { rows } = await shard.query<{ end_reason: string }>({
        name: 'test-ends',
        text: `SELECT DISTINCT end_reason FROM token_family WHERE user_id = $1 AND ended_at IS NULL`,
        values: [String(revoked['userId'])],
      });
      expect(rows).toEqual([]);
    }
  });

  it('is nothing where nobody has said so', async () => {
    await using usual = await startService(cluster, { clients: CLIENTS });
    const answer = await usual.exchange({ grant_type: GRANT, access_token: 'x', client_id: 'kiosk' });
    expect(answer.body['error']).toBe('unsupported_grant_type');
    const { username } = await register(usual);
    const login = await usual.send('POST', '/v1/login', { body: { username, password: PASSWORD, clientId: 'kiosk' } });
    expect([login.body['renewal'], String(claims(login.body['accessToken'])['jti']).startsWith('rj_')]).toEqual([undefined, false]);
    const metadata = await usual.send('GET', '/.well-known/oauth-authorization-server');
    expect(metadata.body['grant_types_supported']).not.toContain(GRANT);
  });
});
