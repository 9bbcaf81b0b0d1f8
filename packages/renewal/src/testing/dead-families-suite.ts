import { openTransaction, untilBlocked } from '@wherry/shards/testing';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { IDLE_MS, beginning, newSessionId, presenting, startFamilyCluster, type FamilyCluster } from './cluster.ts';

/** What holds of the living and the dead, on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function deadFamiliesSuite(shardServerUrl: () => string): void {
  let cluster: FamilyCluster;
  beforeAll(async () => {
    cluster = await startFamilyCluster(inject('postgresUrl'), shardServerUrl());
  });
  afterEach(async () => {
    for (const { database } of cluster.shards.all) await database.query('TRUNCATE token_family');
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  const T = 1_800_000_000_000;
  const DAY_MS = 86_400_000;

  const count = async (): Promise<number> => {
    const counts = await Promise.all(cluster.shards.all.map(async ({ database }) => database.query('SELECT 1 FROM token_family')));
    return counts.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
  };

  test('any living family counts: neither ended, nor idle, nor past its absolute end', async () => {
    const { families } = cluster;
    expect(await families.aliveAny(T)).toBe(false);
    const { credential } = await families.begin(beginning({ now: T, absoluteExpiry: T + IDLE_MS + 10 }));
    expect(await families.aliveAny(T + IDLE_MS - 1)).toBe(true);
    expect(await families.aliveAny(T + IDLE_MS)).toBe(false);
    await families.renew({ credential, ...presenting({ now: T + IDLE_MS - 1 }) });
    expect(await families.aliveAny(T + IDLE_MS + 9)).toBe(true);
    expect(await families.aliveAny(T + IDLE_MS + 10)).toBe(false);
    expect(await families.aliveAny()).toBe(Date.now() < T + IDLE_MS);
    const sessionId = newSessionId();
    await families.begin(beginning({ now: T + DAY_MS, sessionId }));
    expect(await families.aliveAny(T + DAY_MS)).toBe(true);
    await families.endOfSession(sessionId);
    expect(await families.aliveAny(T + DAY_MS)).toBe(false);
  });

  test('dead families are removed when they have been dead for long, a page at a time, and no living one is', async () => {
    const { families } = cluster;
    const dead = await Promise.all(
      Array.from({ length: 90 }, async (_, i) => families.begin(beginning({ now: T, absoluteExpiry: i % 3 === 0 ? T + 1000 : null }))),
    );
    await Promise.all(dead.filter((_, i) => i % 3 === 1).map(async ({ credential }) => families.end(credential, { now: T + 1000 })));
    const living = await Promise.all(Array.from({ length: 30 }, async () => families.begin(beginning({ now: T + DAY_MS }))));
    expect(await families.sweep({ now: T + 1000 + DAY_MS })).toEqual({ removed: 0, complete: true });
    expect(await families.sweep({ now: T + 1001 + DAY_MS })).toEqual({ removed: 60, complete: true });
    let removed = 0;
    let sweeps = 0;
    for (let complete = false; !complete; sweeps++) {
      const swept = await families.sweep({ now: T + 1 + IDLE_MS + DAY_MS, limit: 10 });
      expect(swept.removed).toBeLessThanOrEqual(20);
      removed += swept.removed;
      complete = swept.complete;
    }
    expect(removed).toBe(30);
    expect(sweeps).toBeGreaterThan(2);
    expect(await count()).toBe(30);
    for (const { credential } of living)
      expect(await families.renew({ credential, ...presenting({ now: T + DAY_MS }) })).toMatchObject({ outcome: 'renewed' });
    for (const { credential } of dead)
      expect(await families.renew({ credential, ...presenting({ now: T }) })).toEqual({ outcome: 'unknown' });
  });

  test('a family that was renewed between the look and the removal stays', async () => {
    const { families, shards } = cluster;
    const { credential, slot } = await families.begin(beginning({ now: T }));
    const shard = shards.shard(cluster.map.shardOf(slot)).database;
    const blocker = await openTransaction(shard);
    await blocker.query('UPDATE token_family SET idle_expiry = $1', [T + 30 * DAY_MS]);
    const sweeping = families.sweep({ now: T + 2 * DAY_MS });
    await untilBlocked(shard);
    await blocker.end('COMMIT');
    expect(await sweeping).toMatchObject({ removed: 0 });
    expect(await families.renew({ credential, ...presenting({ now: T + 2 * DAY_MS }) })).toMatchObject({ outcome: 'renewed' });
  });
}
