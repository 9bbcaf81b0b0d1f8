import { openWay, type Severable } from '@wherry/embedded/testing';
import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { clientKey } from '../testing/client-key.ts';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { logIn } from '../testing/people.ts';
import { EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

/** Longer than the news of revocations may be old at auth. */
const STALE_MS = 5000;
const AWAY = [503, 'temporarily_unavailable'];

/** Two instances; the way of the first one to control can be cut. */
let cluster: Cluster;
let way: Severable;
let cut: Running;
let whole: Running;
const key = await clientKey('ES256');
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  way = await openWay(cluster.controlUrl);
  const clients = [...OAUTH_CLIENTS, { id: 'signer', keys: [key.publicJwk], grants: ['client_credentials'] }] as const;
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

const errorOf = ({ status, body }: Answer): unknown[] => [status, body['error']];
const ofToken = async (token: string): Promise<Answer> =>
  cut.exchange({ grant_type: EXCHANGE, subject_token: token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
const ask = async (token: string): Promise<Answer> => cut.form('/oauth/introspect', { token }, as('watch'));

describe('without the control database', () => {
  it('an assertion proves nothing, because nobody can say that it is new, and is not used up', async () => {
    const proof = await key.prove('signer');
    way.sever();
    try {
      const answer = await cut.exchange({ grant_type: 'client_credentials', ...proof });
      expect([...errorOf(answer), answer.body['code'], answer.headers.get('retry-after')]).toEqual([...AWAY, 'control_unavailable', '1']);
      // A secret still proves who one is.
      expect((await cut.exchange({ grant_type: 'client_credentials' }, as('batch'))).status).toBe(200);
    } finally {
      way.mend();
    }
    expect((await whole.exchange({ grant_type: 'client_credentials', ...proof })).status).toBe(200);
  });

  it('nothing is said to be revoked that is not, and nothing to be inactive that may be active', async () => {
    const [stays, ends] = [await logIn(whole), await logIn(whole)];
    const service = String((await whole.exchange({ grant_type: 'client_credentials' }, as('batch'))).body['access_token']);
    const { runtime } = cut.service;
    way.sever();
    try {
      expect(errorOf(await cut.form('/oauth/revoke', { token: stays.accessToken }))).toEqual(AWAY);
      expect(errorOf(await cut.form('/oauth/revoke', { token: stays.sessionToken }))).toEqual(AWAY);
      expect((await whole.send('POST', '/v1/logout', { bearer: ends.accessToken })).status).toBe(204);
      await vi.waitFor(() => expect(runtime.ended.staleMs).toBeGreaterThan(STALE_MS));
      // The rows of the sessions decide; behind a service there is none.
      expect([(await ask(stays.accessToken)).body['active'], (await ask(ends.accessToken)).body['active']]).toEqual([true, false]);
      expect(errorOf(await ask(service))).toEqual(AWAY);
      expect(errorOf(await ofToken(ends.accessToken))).toEqual([400, 'invalid_grant']);
      expect([(await ofToken(stays.accessToken)).status, errorOf(await ofToken(service))]).toEqual([200, AWAY]);
    } finally {
      way.mend();
    }
    await vi.waitFor(async () => expect((await ask(service)).body['active']).toBe(true));
    expect((await cut.form('/oauth/revoke', { token: stays.accessToken })).status).toBe(200);
    expect((await ask(stays.accessToken)).body).toEqual({ active: false });
  });
});
