import { advance, readRollout, rollback } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, ORDERS, as } from '../testing/oauth-clients.ts';
import { PASSWORD, claims, logIn, register, type Login } from '../testing/people.ts';
import { proofKey } from '../testing/proof-key.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

let cluster: Cluster;
let one: Running;
let two: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  const move = async (): Promise<{ expectedVersion: number; actor: string }> => ({
    expectedVersion: (await readRollout(cluster.control)).version,
    actor: 'test',
  });
  await advance(cluster.control, await move());
  await advance(cluster.control, await move(), 0);
  await rollback(cluster.control, await move());
  one = await startService(cluster, { clients: OAUTH_CLIENTS });
  two = await startService(cluster, { clients: OAUTH_CLIENTS });
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const refresh = (at: Running, token: unknown, headers = {}): Promise<Answer> =>
  at.exchange({ grant_type: 'refresh_token', refresh_token: String(token) }, headers);
const exchange = async (token: unknown, more: Readonly<Record<string, string>> = {}, headers = {}): Promise<Answer> =>
  one.exchange(
    {
      grant_type: EXCHANGE,
      subject_token_type: 'urn:wherry:token-type:session',
      subject_token: String(token),
      scope: 'offline_access',
      ...more,
    },
    headers,
  );
const whoami = (at: Running, bearer: unknown): Promise<Answer> => at.send('GET', '/v1/whoami', { bearer: String(bearer) });
/** A user with a family, and what his renewal gave while the rollout goes back. */
const goneOver = async (): Promise<Login & { refreshToken: string; sibling: string; accessToken: string }> => {
  const login = await logIn(one);
  const { body } = await exchange(login.sessionToken);
  const renewed = await refresh(one, body['refresh_token']);
  expect(renewed.body).toMatchObject({ session_token: expect.stringMatching(/^st_/) });
  return {
    ...login,
    accessToken: String(renewed.body['access_token']),
    refreshToken: String(renewed.body['refresh_token']),
    sibling: String(renewed.body['session_token']),
  };
};

describe('a renewal while the rollout goes back', () => {
  it('gives a session token beside the one that there was, and the same again', async () => {
    const ann = await goneOver();
    expect(ann.sibling).not.toBe(ann.sessionToken);
    const [first, second] = [await whoami(two, ann.sessionToken), await whoami(two, ann.sibling)];
    expect([first.status, second.status]).toEqual([200, 200]);
    const { sessionId: _, ...identity } = first.body;
    expect(second.body).toMatchObject(identity);
    const again = await refresh(two, ann.refreshToken);
    expect([again.body['session_token'], claims(again.body['access_token'])['sid']]).toEqual([ann.sibling, claims(ann.accessToken)['sid']]);
    // Of its own renewals too: they stand for one session.
    const { body } = await exchange(ann.sibling);
    expect((await refresh(one, body['refresh_token'])).body['session_token']).toBe(ann.sibling);
  });

  it('gives the next one where that has run out', async () => {
    const ann = await goneOver();
    const { rows } = await cluster.control.query<{ now: bigint }>('SELECT wherry_now() AS now');
    for (const shard of cluster.shards.all)
      await shard.query({
        name: 'test-run-out',
        text: `UPDATE user_session SET expire_time = $1 WHERE user_id = $2 AND attributes LIKE '%siblingOf%'`,
        // Further back than an instance's idea of the database's clock can be off.
        values: [Number(rows[0]?.now) - 60_000, ann.userId],
      });
    expect((await whoami(one, ann.sibling)).status).toBe(401);
    const next = (await refresh(one, ann.refreshToken)).body['session_token'];
    expect([next, (await whoami(two, next)).status]).not.toEqual([ann.sibling, 401]);
    expect((await whoami(two, next)).status).toBe(200);
  });

  it.each(['sessionToken', 'sibling', 'accessToken'] as const)('all of a session end by a log-out with its %s', async (by) => {
    const ann = await goneOver();
    const other = String((await exchange(ann.sibling)).body['access_token']);
    expect((await one.send('POST', '/v1/logout', { bearer: ann[by] })).status).toBe(204);
    for (const at of [one, two])
      for (const bearer of [ann.sessionToken, ann.sibling, ann.accessToken, other]) expect((await whoami(at, bearer)).status).toBe(401);
    expect((await refresh(two, ann.refreshToken)).body['error']).toBe('invalid_grant');
    // A repeat after a lost answer is one, and not the end of something else.
    expect((await one.send('POST', '/v1/logout', { bearer: ann[by] })).status).toBe(204);
  });

  it('leaves nothing alive of a session that is ended at the same moment', async () => {
    for (let round = 0; round < 12; round++) {
      const login = await logIn(one);
      const tokens = await Promise.all([1, 2, 3].map(async () => (await exchange(login.sessionToken)).body['refresh_token']));
      const [, ...renewals] = await Promise.all([
        two.send('POST', '/v1/logout', { bearer: login.accessToken }),
        ...tokens.map(async (token) => refresh(one, token)),
      ]);
      const given = renewals.flatMap(({ body }) => ['session_token', 'access_token'].map((name) => body[name])).filter(Boolean);
      for (const bearer of given) for (const at of [one, two]) expect((await whoami(at, bearer)).status).toBe(401);
      for (const { body } of renewals)
        if (body['refresh_token'] !== undefined) expect((await refresh(one, body['refresh_token'])).status).toBe(400);
    }
  });

  it('gives no session token for a family that was to be less than the session', async () => {
    const { username } = await register(one, ['user', 'orders:write']);
    const login = await logIn(one, username);
    const key = await proofKey();
    const url = `${COMMON.issuer}/oauth/token`;
    const scoped = await exchange(login.sessionToken, { scope: 'user offline_access' });
    const aimed = await exchange(login.sessionToken, { client_id: 'narrow-page', audience: ORDERS });
    const bound = await exchange(login.sessionToken, { client_id: 'page' }, await key.proof('POST', url));
    const own = await exchange(login.sessionToken, {}, as('shop'));
    const renewed = [
      await refresh(one, scoped.body['refresh_token']),
      await refresh(one, aimed.body['refresh_token']),
      await refresh(one, bound.body['refresh_token'], await key.proof('POST', url)),
      await refresh(one, own.body['refresh_token'], as('shop')),
    ];
    expect(renewed.map(({ status, body }) => [status, 'session_token' in body])).toEqual([
      [200, false],
      [200, false],
      [200, false],
      [200, true],
    ]);
  });

  it('ends with all that the user has', async () => {
    const ann = await goneOver();
    expect((await one.send('POST', '/v1/logout-everywhere', { bearer: ann.accessToken })).status).toBe(204);
    for (const bearer of [ann.sessionToken, ann.sibling]) expect((await whoami(two, bearer)).status).toBe(401);
    const login = await one.send('POST', '/v1/login', { body: { username: ann.username, password: PASSWORD } });
    expect(login.status).toBe(200);
  });
});
