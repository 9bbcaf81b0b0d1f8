import { startRedis } from '@wherry/embedded';
import { startCluster } from '../cluster.ts';
import { copyIn, copyOut } from '../copy-table.ts';
import { ratio } from '../ratios.ts';
import type { BenchResult } from '../report.ts';
import { alternate, middleOf, roundsOf, type Contender } from '../rounds.ts';
import { pairedRatio } from '../statistics.ts';
import { Copier } from './copier.ts';
import { fillRedis, readAll } from './legacy-sessions.ts';

/**
 * Copying from Redis into two shards, against its two halves, each alone and with nothing to decide: reading everything
 * from Redis, and COPY of the very same rows into the very same tables. The slower half is what can be had at best.
 */
export async function benchMigration(quick: boolean): Promise<BenchResult> {
  const count = quick ? 100_000 : 300_000;
  const redis = await startRedis();
  await using cluster = await startCluster('source');
  console.log(`filling Redis with ${count.toLocaleString('en')} sessions`);
  await fillRedis(redis.url, count);
  const copier = await Copier.start(cluster, redis.url);
  const shards = cluster.shardUrls.map((url) => cluster.open(url));
  const empty = async (): Promise<void> => {
    for (const shard of shards) await shard.query('TRUNCATE user_session');
    for (const shard of shards) await shard.query('CHECKPOINT');
  };
  const contender = (name: string, work: () => Promise<number>): Contender => ({
    name,
    measure: async () => {
      await empty();
      const start = performance.now();
      const done = await work();
      return { value: (done / (performance.now() - start)) * 1000, faults: Math.abs(count - done) };
    },
  });
  try {
    await copier.copy();
    const rows = await Promise.all(cluster.shardUrls.map(async (url) => copyOut(url, 'user_session')));
    const copyRaw = async (): Promise<number> => {
      await Promise.all(cluster.shardUrls.map(async (url, shard) => copyIn(url, 'user_session', rows[shard] ?? [])));
      const counts = await Promise.all(shards.map(async (shard) => shard.query<{ n: number }>('SELECT count(*)::int n FROM user_session')));
      return counts.reduce((sum, { rows: [row] }) => sum + (row?.n ?? 0), 0);
    };
    const rounds = await alternate(
      [contender('wherry', () => copier.copy()), contender('raw reading', () => readAll(redis.url)), contender('raw COPY', copyRaw)],
      { rounds: quick ? 5 : 7, unit: '/s' },
    );
    const slower = middleOf(rounds, 'raw reading') < middleOf(rounds, 'raw COPY') ? 'raw reading' : 'raw COPY';
    console.log(`the slower half is ${slower}`);
    return {
      settings: { sessions: count, slower, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024) },
      parts: [{ name: 'copy', unit: '/s', rounds }],
      ratios: [ratio('migration-redis', pairedRatio(roundsOf(rounds, 'wherry'), roundsOf(rounds, slower)))],
    };
  } finally {
    await copier.stop();
    await redis.stop();
  }
}
