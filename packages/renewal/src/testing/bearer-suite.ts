import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { BEARER_PREFIX, parseRenewalCredential } from '../credential.ts';
import type { Renewal } from '../renewal.ts';
import { WINDOW_MS, beginning, newSessionId, presenting, startFamilyCluster, type FamilyCluster, type FamilyInstance } from './cluster.ts';

/** What holds of renewal by an expired token alone, on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function bearerSuite(shardServerUrl: () => string): void {
  let cluster: FamilyCluster;
  let on: FamilyInstance;
  beforeAll(async () => {
    cluster = await startFamilyCluster(inject('postgresUrl'), shardServerUrl());
    on = await cluster.instance({ maxBearerRenewals: 3 });
  });
  afterAll(async () => {
    await on[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  const T = 1_800_000_000_000;
  const renew = async (jti: string, now: number, expiredAt = now): Promise<Renewal> =>
    on.families.renewBearer({ jti, expiredAt, ...presenting({ now }) });

  async function renewed(jti: string, now: number): Promise<string> {
    const renewal = await renew(jti, now);
    if (renewal.outcome !== 'renewed') throw new Error(`not renewed but ${renewal.outcome}`);
    return renewal.successor;
  }

  test('it is off where nothing is said: none begins, and one that began elsewhere is not renewed', async () => {
    await expect(cluster.families.begin(beginning({ mode: 'bearer' }))).rejects.toMatchObject({ code: 'config_invalid' });
    const { credential } = await on.families.begin(beginning({ mode: 'bearer', now: T }));
    expect(await cluster.families.renewBearer({ jti: credential, expiredAt: T, ...presenting({ now: T }) })).toEqual({
      outcome: 'unknown',
    });
  });

  test('the jti of an expired token takes the place of a credential: renewed until twice the life of a token is over', async () => {
    const sessionId = newSessionId();
    const { credential: jti } = await on.families.begin(beginning({ mode: 'bearer', sessionId, now: T }));
    expect(jti.startsWith(BEARER_PREFIX)).toBe(true);
    expect(parseRenewalCredential(jti)).toMatchObject({ mode: 'bearer', sessionId });
    expect(await renew(jti, T + WINDOW_MS + 1, T)).toMatchObject({ outcome: 'expired', family: { mode: 'bearer' } });
    const first = await renew(jti, T + WINDOW_MS, T);
    expect(first).toMatchObject({ outcome: 'renewed', repeated: false, family: { mode: 'bearer' } });
    expect(await renew(jti, T + WINDOW_MS, T)).toMatchObject({ ...first, repeated: true });
  });

  test('it is renewed as often as it may and no more, superseded ones included', async () => {
    const { credential } = await on.families.begin(beginning({ mode: 'bearer', now: T }));
    const second = await renewed(credential, T);
    const third = await renewed(second, T);
    expect(await renewed(second, T + 31_000)).not.toBe(third);
    const last = await renewed(second, T + 31_000);
    expect(await renew(second, T + 62_001)).toMatchObject({ outcome: 'capped' });
    expect(await renew(last, T + 62_001)).toMatchObject({ outcome: 'capped', family: { renewals: 3 } });
  });

  test('the old token ends with its renewal: presented later it is reuse, and the family ends', async () => {
    const { credential } = await on.families.begin(beginning({ mode: 'bearer', now: T }));
    const second = await renewed(credential, T);
    const third = await renewed(second, T);
    expect(await renew(credential, T)).toMatchObject({ outcome: 'reused', first: true });
    expect(await renew(third, T)).toMatchObject({ outcome: 'reused', first: false });
  });

  test('the two ways do not mix: a jti is no credential, and a credential no jti', async () => {
    const { credential: jti } = await on.families.begin(beginning({ mode: 'bearer', now: T }));
    const { credential } = await on.families.begin(beginning({ now: T }));
    expect(await on.families.renew({ credential: jti, ...presenting({ now: T }) })).toEqual({ outcome: 'unknown' });
    expect(await on.families.renew({ credential: jti.replace('rj_', 'rt_'), ...presenting({ now: T }) })).toEqual({ outcome: 'unknown' });
    expect(await renew(credential, T)).toEqual({ outcome: 'unknown' });
    expect(await renew(credential.replace('rt_', 'rj_'), T)).toEqual({ outcome: 'unknown' });
    // What a token carries in the open can end no family either.
    for (const text of [jti, jti.replace('rj_', 'rt_')]) expect(await on.families.end(text)).toBeUndefined();
    expect(await renew(jti, T)).toMatchObject({ outcome: 'renewed' });
    // Who has verified the token may.
    for (const text of [credential, jti.replace('rj_', 'rt_'), 'rj_x'])
      expect(await on.families.end(text, { mode: 'bearer' })).toBeUndefined();
    expect(await on.families.end(jti, { mode: 'bearer' })).toBeDefined();
    expect((await renew(jti, T)).outcome).toBe('ended');
  });
}
