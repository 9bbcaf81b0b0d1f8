import { PATIENT_MS } from '@wherry/embedded/testing';
import { advance, rollback } from '@wherry/rollout';
import { ExpressCookie, carriedSessionKey, expressJsonDecoder, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { beginClosing, commitSide, installSlotMap, type PrimarySide } from '@wherry/shards';
import type { Cluster } from '@wherry/shards/testing';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { COOKIE_SECRET, startLegacyApp, type LegacyApp } from '../testing/legacy-app.ts';
import { claims } from '../testing/people.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

/** Of the application: shorter than the life of an access token. */
const TTL_SECONDS = 120;
const cookie = new ExpressCookie({ secrets: [COOKIE_SECRET] });
const decode = expressJsonDecoder({
  identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] },
});

let cluster: Cluster;
let app: LegacyApp;
let store: SourceStore;
let one: Running;
let two: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'source');
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  const prefix = `renewal-${randomUUID()}:`;
  app = await startLegacyApp(inject('redisUrl'), prefix, TTL_SECONDS);
  store = createRedisSource({ url: inject('redisUrl'), prefix, timeoutMs: PATIENT_MS });
  one = await startService(cluster, { source: { store, decode, cookie } });
  two = await startService(cluster, { source: { store, decode, cookie } });
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await store.close();
  await cluster[Symbol.asyncDispose]();
});

const rawIdOf = (value: string): string => {
  const reading = cookie.verify(decodeURIComponent(value));
  if (reading.outcome !== 'verified') throw new Error('the cookie does not verify');
  return reading.rawId;
};
const exchange = async (value: string): Promise<Answer> =>
  one.exchange({
    grant_type: EXCHANGE,
    subject_token: value,
    subject_token_type: 'urn:wherry:token-type:legacy-cookie',
    scope: 'offline_access',
  });
const refresh = async (at: Running, token: unknown): Promise<Answer> =>
  at.exchange({ grant_type: 'refresh_token', refresh_token: String(token) });
const begun = async (n: number): Promise<{ readonly value: string; readonly token: string }> => {
  const value = await app.signIn(n);
  const { status, body } = await exchange(value);
  expect(status).toBe(200);
  return { value, token: String(body['refresh_token']) };
};
/** Makes a side the primary one for the slot of a session; both have it, as after a copy. */
const switchTo = async (value: string, side: PrimarySide): Promise<void> => {
  const { slot } = carriedSessionKey(rawIdOf(value));
  const { epoch } = one.service.runtime.slots.entry(slot);
  const closing = await beginClosing(cluster.control, [slot], [epoch], 3_600_000);
  await commitSide(cluster.control, closing, { side });
  await installSlotMap(
    cluster.control,
    cluster.shards.all.map(({ database }) => database),
  );
  for (const { service } of [one, two]) await service.runtime.slots.refresh();
};

describe("the renewals of an application's session", () => {
  it('go on while the source is primary, after the switch, and after the way back', async () => {
    const { value, token } = await begun(11);
    let last: unknown = token;
    const renewed = async (): Promise<Record<string, unknown>> => {
      const answer = await refresh(two, last);
      expect([answer.status, answer.body['code']]).toEqual([200, undefined]);
      last = answer.body['refresh_token'];
      // The application's cookie is where it was: nothing else stands for the session.
      expect(answer.body['session_token']).toBeUndefined();
      return claims(answer.body['access_token']);
    };
    const sid = carriedSessionKey(rawIdOf(value)).id.toString();
    const first = await renewed();
    expect(first).toMatchObject({ sid, sub: '10011', authorities: expect.arrayContaining(['member', 'region:österreich']) });
    await switchTo(value, 'target');
    expect(await renewed()).toMatchObject({ sid, sub: '10011', authorities: first['authorities'] });
    await switchTo(value, 'source');
    expect(await renewed()).toMatchObject({ sid, sub: '10011', authorities: first['authorities'] });
    expect(await app.accepts(value)).toBe(true);
  });

  it('keep the session alive on its primary side, and never outlive it by more than a token', async () => {
    const { value, token } = await begun(12);
    await store.touch(rawIdOf(value), 20_000, 0);
    const answer = await refresh(one, token);
    // The token ends with the session, whose life has begun anew.
    expect(Number(answer.body['expires_in'])).toBeGreaterThan(20);
    expect(Number(answer.body['expires_in'])).toBeLessThanOrEqual(TTL_SECONDS);
    expect(Number(answer.body['refresh_token_expires_in'])).toBeLessThanOrEqual(TTL_SECONDS + COMMON.accessTokenSeconds);
  });

  it.each<[PrimarySide, string]>([
    ['source', 'session_unknown'],
    ['target', 'session_ended'],
  ])('end with it, when the %s is primary and it is gone there', async (side, code) => {
    const { value, token } = await begun(13);
    if (side === 'target') {
      await switchTo(value, 'target');
      await one.service.runtime.target.end(carriedSessionKey(rawIdOf(value)), one.service.runtime.now());
    } else {
      await app.signOut(value);
    }
    const answer = await refresh(two, token);
    expect([answer.status, answer.body['error'], answer.body['code']]).toEqual([400, 'invalid_grant', code]);
    // Nothing was spent on it, and nothing comes of a repeat.
    expect((await refresh(one, token)).body['code']).toBe(code);
  });

  it('end when it is signed out of here, by cookie or by token', async () => {
    for (const by of ['cookie', 'token'] as const) {
      const { value, token } = await begun(14);
      const renewed = await refresh(one, token);
      const headers: Record<string, string> =
        by === 'cookie' ? { cookie: `connect.sid=${value}` } : { authorization: `Bearer ${String(renewed.body['access_token'])}` };
      expect((await two.send('POST', '/v1/logout', { headers })).status).toBe(204);
      const answer = await refresh(one, renewed.body['refresh_token']);
      expect([by, answer.status, answer.body['code']]).toEqual([by, 400, 'session_ended']);
      expect(await app.accepts(value)).toBe(false);
    }
  });

  it('end when its user is disabled, and when somebody else has signed in to it', async () => {
    const operator = { bearer: COMMON.operatorSecret };
    const { token } = await begun(15);
    expect((await one.send('POST', '/v1/admin/users/10015/disable', { body: { reason: 'x' }, ...operator })).status).toBe(200);
    expect((await refresh(two, token)).body['code']).toBe('user_disabled');
    const other = await begun(16);
    const rawId = rawIdOf(other.value);
    const [session] = await store.get([rawId]);
    const changed = JSON.stringify({ ...(JSON.parse(session?.value ?? '{}') as object), user: { id: 4711, name: 'mallory', roles: [] } });
    const carried = one.service.runtime.carry({ source: store, decode });
    await carried.save(rawId, changed, TTL_SECONDS * 1000);
    expect((await refresh(two, other.token)).body['code']).toBe('session_ended');
    expect((await refresh(one, other.token)).body['error']).toBe('invalid_grant');
  });

  it('say that nobody can tell while the source is away, and go on afterwards', async () => {
    const { token } = await begun(17);
    const away = createRedisSource({ url: 'redis://127.0.0.1:1', prefix: 'x:', timeoutMs: 200 });
    try {
      await using cut = await startService(cluster, { source: { store: away, decode, cookie } });
      const answer = await refresh(cut, token);
      expect([answer.status, answer.body['error'], answer.body['code']]).toEqual([503, 'temporarily_unavailable', 'source_unavailable']);
    } finally {
      await away.close();
    }
    // Nor where an instance is not told of the source at all.
    await using without = await startService(cluster);
    expect((await refresh(without, token)).body['code']).toBe('source_unavailable');
    expect((await refresh(one, token)).status).toBe(200);
  });

  it('give no session token while the rollout goes back, and go on', async () => {
    const { token } = await begun(18);
    await rollback(cluster.control, { expectedVersion: 2, actor: 'test' });
    const renewed = await refresh(two, token);
    expect([renewed.status, 'session_token' in renewed.body]).toEqual([200, false]);
  });
});
