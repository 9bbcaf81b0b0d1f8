import { createMetrics } from '@wherry/core/metrics';
import { advance } from '@wherry/rollout';
import { slotOf } from '@wherry/shards';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { Cluster } from '@wherry/shards/testing';
import { startAuthCluster } from './testing/cluster.ts';
import { startService, type Answer, type Running } from './testing/service.ts';
import { openWay, type Severable } from '@wherry/embedded/testing';

/** Two instances; the ways of the first one to control and to a shard can be cut. */
let cluster: Cluster;
let ways: { readonly control: Severable; readonly shard: Severable };
let cut: Running;
let whole: Running;
const metrics = createMetrics();
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  const [first = '', ...others] = cluster.shardUrls;
  ways = { control: await openWay(cluster.controlUrl), shard: await openWay(first) };
  const addresses = { controlUrl: ways.control.url, shardUrls: [ways.shard.url, ...others] };
  cut = await startService(cluster, { metrics, upkeepMs: 200 }, undefined, addresses);
  whole = await startService(cluster);
});
afterAll(async () => {
  ways.control.mend();
  ways.shard.mend();
  await cut[Symbol.asyncDispose]();
  await whole[Symbol.asyncDispose]();
  await ways.control[Symbol.asyncDispose]();
  await ways.shard[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

interface Login {
  readonly userId: string;
  readonly sessionToken: string;
  readonly accessToken: string;
}

let count = 0;
const PASSWORD = 'correct horse battery';
async function loggedIn(): Promise<Login> {
  const body = { username: `out${++count}`, password: PASSWORD };
  expect((await whole.send('POST', '/v1/users', { body })).status).toBe(201);
  return (await whole.send('POST', '/v1/login', { body })).body as unknown as Login;
}
const whoami = async (at: Running, bearer: string): Promise<Answer> => at.send('GET', '/v1/whoami', { bearer });
const codeOf = ({ status, headers, body }: Answer): string =>
  [status, body['code'], ...(headers.has('retry-after') ? ['later'] : [])].filter((part) => typeof part !== 'object').join(' ');
const shardOfSession = (accessToken: string): number => {
  const { sid } = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as { sid: string };
  return cut.service.runtime.slots.shardOf(slotOf(BigInt(sid)));
};

describe('without the control database', () => {
  it('nobody is told that he is signed out who is not, and everybody who is signed in stays so', async () => {
    const login = await loggedIn();
    ways.control.sever();
    try {
      expect(codeOf(await cut.send('POST', '/v1/logout', { bearer: login.accessToken }))).toBe('503 control_unavailable later');
      expect(codeOf(await cut.send('POST', '/v1/logout', { bearer: login.sessionToken }))).toBe('503 control_unavailable later');
      expect(codeOf(await cut.send('POST', '/v1/logout-everywhere', { bearer: login.accessToken }))).toBe('503 control_unavailable later');
      const revoke = { body: { reason: 'test' }, bearer: 'operator secret' };
      expect(codeOf(await cut.send('POST', `/v1/admin/users/${login.userId}/revoke`, revoke))).toBe('503 control_unavailable later');
      expect([(await whoami(cut, login.accessToken)).status, (await whoami(cut, login.sessionToken)).status]).toEqual([200, 200]);
    } finally {
      ways.control.mend();
    }
    expect((await cut.send('POST', '/v1/logout', { bearer: login.accessToken })).status).toBe(204);
  });

  it('the rows of the sessions decide when the news have become old', async () => {
    const [stays, ends, leaves] = [await loggedIn(), await loggedIn(), await loggedIn()];
    ways.control.sever();
    try {
      await vi.waitFor(() => expect(cut.service.runtime.ended.staleMs).toBeGreaterThan(5000), { interval: 100 });
      expect((await whole.send('POST', '/v1/logout', { bearer: ends.accessToken })).status).toBe(204);
      expect((await whole.send('POST', '/v1/logout-everywhere', { bearer: leaves.accessToken })).status).toBe(204);
      expect((await whoami(cut, stays.accessToken)).status).toBe(200);
      for (const { accessToken } of [ends, leaves]) expect(codeOf(await whoami(cut, accessToken))).toBe('401 token_session_ended');
      for (const { sessionToken } of [ends, leaves]) expect(codeOf(await whoami(cut, sessionToken))).toBe('401 session_ended');
    } finally {
      ways.control.mend();
    }
    await vi.waitFor(async () => expect(codeOf(await whoami(cut, leaves.accessToken))).toBe('401 token_generation_old'));
  });
});

describe('without a shard', () => {
  it('log-ins and log-outs of its users wait, and a log-out everywhere holds at once', async () => {
    const onShard = async (shard: number): Promise<Login> => {
      const login = await loggedIn();
      return shardOfSession(login.accessToken) === shard ? login : onShard(shard);
    };
    const [here, there] = [await onShard(0), await onShard(1)];
    ways.shard.sever();
    try {
      expect(codeOf(await cut.send('POST', '/v1/logout', { bearer: here.accessToken }))).toBe('503 shard_unavailable later');
      expect(codeOf(await whoami(cut, here.sessionToken))).toBe('503 shard_unavailable later');
      expect([(await whoami(cut, here.accessToken)).status, (await whoami(cut, there.sessionToken)).status]).toEqual([200, 200]);
      expect((await cut.send('POST', '/v1/logout', { bearer: there.accessToken })).status).toBe(204);
      expect((await cut.send('POST', '/v1/logout-everywhere', { bearer: here.accessToken })).status).toBe(204);
      expect(codeOf(await whoami(whole, here.sessionToken))).toBe('401 session_ended');
      expect(await metrics.page()).toContain('wherry_auth_user_ends_left 1');
    } finally {
      ways.shard.mend();
    }
    await vi.waitFor(async () => expect(await metrics.page()).toContain('wherry_auth_user_ends_left 0'), { interval: 100 });
    const { rows } = await cluster.shards
      .shard(0)
      .database.query('SELECT FROM user_session WHERE user_id = $1 AND deleted_at IS NULL', [here.userId]);
    expect(rows).toEqual([]);
  });
});
