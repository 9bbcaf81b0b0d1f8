import { PATIENT_MS, openWay, type Severable } from '@wherry/embedded/testing';
import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS } from '../testing/oauth-clients.ts';
import { PASSWORD, expectProblem, logIn } from '../testing/people.ts';
import { EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

/** Two instances; the way of the first one to control can be cut. */
let cluster: Cluster;
let way: Severable;
let cut: Running;
let whole: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'target');
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  way = await openWay(cluster.controlUrl);
  const clients = [...OAUTH_CLIENTS, { id: 'app', secret: 'app secret', assertsUsers: true }];
  cut = await startService(cluster, { clients }, undefined, { controlUrl: way.url });
  whole = await startService(cluster, { clients });
});
afterAll(async () => {
  way.mend();
  await cut[Symbol.asyncDispose]();
  await whole[Symbol.asyncDispose]();
  await way[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const exchange = (at: Running, sessionToken: string, scope = {}): Promise<Answer> =>
  at.exchange({ grant_type: EXCHANGE, subject_token: sessionToken, subject_token_type: 'urn:wherry:token-type:session', ...scope });
const offline = { scope: 'offline_access' };
const refresh = (at: Running, token: unknown): Promise<Answer> =>
  at.exchange({ grant_type: 'refresh_token', refresh_token: String(token) });

describe('an instance that is cut off from control, and has lost its lease', () => {
  it('renews what lives, knows what has ended, and begins nothing', async () => {
    const [stays, ends] = [await logIn(whole), await logIn(whole)];
    const tokens = [await exchange(whole, stays.sessionToken, offline), await exchange(whole, ends.sessionToken, offline)];
    const [living, ended] = tokens.map(({ body }) => body['refresh_token']);
    const { runtime } = cut.service;
    way.sever();
    try {
      await vi.waitFor(() => expect(runtime.instance.leaseValid).toBe(false), { timeout: PATIENT_MS });
      expect((await whole.send('POST', '/v1/logout', { bearer: ends.accessToken })).status).toBe(204);
      expect((await refresh(cut, ended)).body['code']).toBe('session_ended');
      const renewed = await refresh(cut, living);
      expect([renewed.status, renewed.body['code']]).toEqual([200, undefined]);
      // What would outlive the instance's knowledge is given out by others.
      const lost = await exchange(cut, stays.sessionToken, offline);
      expect([lost.status, lost.body['error'], lost.body['code'], lost.headers.get('retry-after')]).toEqual([
        503,
        'temporarily_unavailable',
        'lease_lost',
        '1',
      ]);
      expect((await exchange(cut, stays.sessionToken)).status).toBe(200);
      const handed = { body: { userId: 'u', authorities: [] }, basic: ['app', 'app secret'] } as const;
      expectProblem(await cut.send('POST', '/v1/logins', handed), 503, 'lease_lost');
      expectProblem(await cut.send('POST', '/v1/login', { body: { username: stays.username, password: PASSWORD } }), 503, 'lease_lost');
      expect((await refresh(whole, renewed.body['refresh_token'])).status).toBe(200);
    } finally {
      way.mend();
    }
    await vi.waitFor(async () => expect((await exchange(cut, stays.sessionToken, offline)).status).toBe(200), { timeout: PATIENT_MS });
  });
});
