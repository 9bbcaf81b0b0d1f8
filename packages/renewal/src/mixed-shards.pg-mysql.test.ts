import { slotOf } from '@wherry/shards';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import {
  IDLE_MS,
  beginning,
  newSessionId,
  presenting,
  startFamilyCluster,
  type FamilyCluster,
  type FamilyInstance,
} from './testing/cluster.ts';

/*
 * Families on one shard of PostgreSQL and one of MariaDB at once: whoever calls does not see which one has them. What
 * holds of each alone is told by the suites.
 */
let cluster: FamilyCluster;
let other: FamilyInstance;
beforeAll(async () => {
  cluster = await startFamilyCluster(inject('postgresUrl'), inject('postgresUrl'), inject('mysqlUrl'));
  other = await cluster.instance();
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const T = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const COUNT = 60;

test('families of both shards begin, are renewed, repeated, reused, ended and removed as those of one', async () => {
  const { families, shards, map } = cluster;
  expect(shards.all.map(({ dialect }) => dialect)).toEqual(['postgres', 'mysql']);
  const begun = await Promise.all(
    Array.from({ length: COUNT }, async (_, i) => {
      // In turn by shard, whatever the random ids are.
      let sessionId = newSessionId();
      while (map.shardOf(slotOf(sessionId)) !== i % 2) sessionId = newSessionId();
      const family = await families.begin(beginning({ sessionId, now: T, userId: i % 3 === 0 ? 'grace' : 'ada' }));
      return { sessionId, ...family };
    }),
  );
  const renewed = async (credential: string, from = families): Promise<string> => {
    const renewal = await from.renew({ credential, ...presenting({ now: T + 1 }) });
    return renewal.outcome === 'renewed' ? renewal.successor : renewal.outcome;
  };
  const first = await Promise.all(begun.map(async ({ credential }) => renewed(credential)));
  expect(await Promise.all(begun.map(async ({ credential }) => renewed(credential, other.families)))).toEqual(first);
  const second = await Promise.all(first.map(async (credential) => renewed(credential, other.families)));
  expect(new Set(second).size).toBe(COUNT);

  await Promise.all(begun.map(async ({ sessionId }, i) => families.noteSessionTokenUse(sessionId, 'web', T + i)));
  const evidence = await Promise.all(begun.map(async ({ sessionId }) => other.families.evidenceOf(sessionId)));
  expect(evidence).toEqual(
    begun.map((_, i) => [{ clientId: 'web', provedAt: T + 1, sessionTokenUsedAt: T + i, aliveUntil: T + 1 + IDLE_MS }]),
  );

  // Of each shard one is replayed.
  for (const { credential } of begun.slice(0, 2)) expect(await renewed(credential)).toBe('reused');
  const ofGrace = begun.filter((_, i) => i % 3 === 0).length;
  expect(await other.families.endUser('grace', 4, T + 2)).toBe(ofGrace - 1);
  const outcomes = await Promise.all(second.map(async (credential) => (await renewed(credential)).slice(0, 3)));
  expect(outcomes).toEqual(begun.map((_, i) => (i < 2 ? 'reu' : i % 3 === 0 ? 'end' : 'rt_')));

  expect(await families.aliveAny(T + IDLE_MS)).toBe(true);
  expect(await families.aliveAny(T + 1 + IDLE_MS)).toBe(false);
  expect(await families.sweep({ now: T + 3 + DAY_MS })).toEqual({ removed: ofGrace + 1, complete: true });
  expect(await families.sweep({ now: T + 2 + IDLE_MS + DAY_MS })).toEqual({ removed: COUNT - ofGrace - 1, complete: true });
});
