import { startRedis } from '@wherry/embedded';
import { carriedSessionKey, type SessionKey } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { SqlSessions } from '@wherry/sessions/sql';
import { ShardSet, SlotMap } from '@wherry/shards';
import { startCluster, type Cluster } from '../cluster.ts';
import type { BenchResult } from '../report.ts';
import type { Rounds } from '../rounds.ts';
import { fillRedis } from './legacy-sessions.ts';
import { copyWith } from './workers.ts';

/** Sessions a second that a migration beside live traffic is held to. */
const THROTTLED = 2000;
const LOOK_UPS_PER_SECOND = 500;
const LOOK_UPS = 3000;

/**
 * How copying grows with processes and shards, what a copying process takes at its peak however many sessions there are, and what a
 * throttled migration costs live look-ups. Two Redis servers stand for a source of two partitions.
 */
export async function benchMigrationLoad(quick: boolean, sessions: number = quick ? 60_000 : 1_000_000): Promise<BenchResult> {
  const servers = [await startRedis(), await startRedis()];
  const urls = servers.map(({ url }) => url);
  const speed = new Map<string, { value: number; faults: number }[]>();
  const memory = new Map<string, { value: number; faults: number }[]>();
  const live = new Map<string, { value: number; faults: number }[]>();
  const small = Math.min(sessions, quick ? 20_000 : 100_000);
  try {
    await fillBoth(urls, small);
    memory.set(`${small} sessions`, [{ value: await peak(urls, small), faults: 0 }]);
    await fillBoth(urls, sessions - small);
    for (const [workers, shards] of [
      [1, 1],
      [1, 2],
      [2, 2],
      [2, 4],
    ] as const) {
      await using cluster = await startCluster('source', shards);
      const control = cluster.open(cluster.controlUrl);
      const { sessionsPerSecond, copied, peakMiB } = await copyWith(cluster, control, urls, workers);
      const name = `${workers} ${workers === 1 ? 'worker' : 'workers'}, ${shards} ${shards === 1 ? 'shard' : 'shards'}`;
      console.log(`${name}: ${Math.round(sessionsPerSecond).toLocaleString('en')}/s, peak of a process ${peakMiB} MiB`);
      speed.set(name, [{ value: sessionsPerSecond, faults: Math.abs(sessions - copied) }]);
      if (workers === 1 && shards === 2) {
        memory.set(`${sessions} sessions`, [{ value: peakMiB, faults: 0 }]);
        await lookUpsBeside(cluster, urls, live);
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
  const part = (name: string, unit: string, rounds: Rounds): BenchResult['parts'][number] => ({ name, unit, rounds });
  return {
    settings: { sessions, throttledTo: THROTTLED, lookUpsPerSecond: LOOK_UPS_PER_SECOND },
    parts: [part('speed', '/s', speed), part('peak memory of a worker', ' MiB', memory), part('look-ups, p99', ' ms', live)],
    ratios: [],
  };
}

async function fillBoth(urls: readonly string[], count: number): Promise<void> {
  console.log(`filling Redis with ${count.toLocaleString('en')} sessions`);
  await Promise.all(urls.map((url, n) => fillRedis(url, Math.floor(count / urls.length) + (n < count % urls.length ? 1 : 0))));
}

async function peak(urls: readonly string[], sessions: number): Promise<number> {
  await using cluster = await startCluster('source');
  const { peakMiB } = await copyWith(cluster, cluster.open(cluster.controlUrl), urls, 1);
  console.log(`${sessions.toLocaleString('en')} sessions: peak of the process ${peakMiB} MiB`);
  return peakMiB;
}

/** Look-ups at a steady rate, alone and beside a migration that copies anew what lies in half of the slots. */
async function lookUpsBeside(
  cluster: Cluster,
  urls: readonly string[],
  live: Map<string, { value: number; faults: number }[]>,
): Promise<void> {
  const control = cluster.open(cluster.controlUrl);
  const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
  const map = new SlotMap({ control });
  await map.refresh();
  const target = new SqlSessions({ shards, map });
  try {
    const keys = await someKeys(urls[0] ?? '');
    const alone = await p99(target, keys);
    for (const url of cluster.shardUrls) await cluster.open(url).query('DELETE FROM user_session WHERE slot % 2 = 1');
    const copying = copyWith(cluster, control, urls, 1, THROTTLED).catch(() => undefined);
    const beside = await p99(target, keys);
    await control.query('UPDATE migration SET rate = 0');
    await copying;
    console.log(
      `look-ups at ${LOOK_UPS_PER_SECOND}/s: p99 ${alone.toFixed(2)} ms alone, ${beside.toFixed(2)} ms beside a migration at ${THROTTLED}/s`,
    );
    live.set('alone', [{ value: alone, faults: 0 }]);
    live.set('beside a throttled migration', [{ value: beside, faults: 0 }]);
  } finally {
    await target.stop();
    await shards.stop();
  }
}

async function someKeys(url: string): Promise<SessionKey[]> {
  const source = createRedisSource({ url });
  try {
    const [partition] = await source.partitions();
    if (partition === undefined) return [];
    const { sessions } = await source.scan(partition, null, 2000);
    return sessions.map(({ rawId }) => carriedSessionKey(rawId)).filter(({ slot }) => slot % 2 === 0);
  } finally {
    await source.close();
  }
}

async function p99(target: SqlSessions, keys: readonly SessionKey[]): Promise<number> {
  const times: number[] = [];
  const from = performance.now();
  const under: Promise<void>[] = [];
  for (let n = 0; n < LOOK_UPS; n++) {
    const due = from + (n * 1000) / LOOK_UPS_PER_SECOND;
    while (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, 1));
    const key = keys[n % keys.length];
    if (key === undefined) break;
    // From when it was due: a stall counts for all that it kept waiting.
    under.push(target.get(key).then(() => void times.push(performance.now() - due)));
  }
  await Promise.all(under);
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}
