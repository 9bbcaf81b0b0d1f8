import { WherryError, type ErrorCode } from '@wherry/core';
import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { proofKey } from '../testing/proof-key.ts';
import { COMMON, startService, type Running } from '../testing/service.ts';
import type { RenewalPort } from './renewal-port.ts';

/** What the port was asked, in turn. */
const asked: unknown[] = [];
let refusal: ErrorCode | undefined;
/** Stands where families of tokens are wired in, to see what the endpoints hand on. */
const renewal: RenewalPort = {
  isRefreshToken: (text) => text.startsWith('rt_'),
  renew: async (token, { client, jkt, form }) => {
    asked.push([token, client.id, jkt, form.get('scope')]);
    if (refusal !== undefined) throw new WherryError(refusal, 'refused');
    return { access_token: 'a', token_type: 'Bearer', expires_in: 1, refresh_token: 'rt_next', refresh_token_expires_in: 2 };
  },
  end: async (token, { client }) => {
    asked.push(['end', token, client.id]);
    return token !== 'rt_unknown';
  },
};

let cluster: Cluster;
let auth: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: OAUTH_CLIENTS, renewal });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const REFRESH = { grant_type: 'refresh_token', refresh_token: 'rt_1' };

describe('a refresh token', () => {
  it('is redeemed for the client that asks, with the key that it proves', async () => {
    const key = await proofKey();
    asked.length = 0;
    const answer = await auth.exchange(REFRESH);
    expect([answer.status, answer.body, answer.headers.get('cache-control')]).toEqual([
      200,
      { access_token: 'a', token_type: 'Bearer', expires_in: 1, refresh_token: 'rt_next', refresh_token_expires_in: 2 },
      'no-store',
    ]);
    await auth.exchange({ ...REFRESH, scope: 'user' }, as('shop'));
    await auth.exchange({ ...REFRESH, client_id: 'page' }, await key.proof('POST', `${COMMON.issuer}/oauth/token`));
    expect(asked).toEqual([
      ['rt_1', 'public', undefined, undefined],
      ['rt_1', 'shop', undefined, 'user'],
      ['rt_1', 'page', key.jkt, undefined],
    ]);
  });

  it('is asked of nobody where the client may not, or has not proved who it is', async () => {
    asked.length = 0;
    const errors = [
      await auth.exchange(REFRESH, as('batch')),
      await auth.exchange({ ...REFRESH, client_id: 'shop' }),
      await auth.exchange({ grant_type: 'refresh_token' }),
    ].map(({ status, body }) => [status, body['error']]);
    expect(errors).toEqual([
      [400, 'unauthorized_client'],
      [401, 'invalid_client'],
      [400, 'invalid_request'],
    ]);
    expect(asked).toEqual([]);
  });

  it.each<[ErrorCode, number, string]>([
    ['session_ended', 400, 'invalid_grant'],
    ['token_generation_old', 400, 'invalid_grant'],
    ['user_disabled', 400, 'invalid_grant'],
    ['renewal_unavailable', 503, 'temporarily_unavailable'],
    ['shard_unavailable', 503, 'temporarily_unavailable'],
  ])('that is refused by %s is answered %i %s', async (code, status, error) => {
    refusal = code;
    try {
      const answer = await auth.exchange(REFRESH);
      expect([answer.status, answer.body['error'], answer.body['code']]).toEqual([status, error, code]);
    } finally {
      refusal = undefined;
    }
  });

  it('ends with its family at the endpoint of revocation', async () => {
    asked.length = 0;
    for (const token of ['rt_1', 'rt_unknown']) expect((await auth.form('/oauth/revoke', { token }, as('shop'))).status).toBe(200);
    expect(asked).toEqual([
      ['end', 'rt_1', 'shop'],
      ['end', 'rt_unknown', 'shop'],
    ]);
  });
});
