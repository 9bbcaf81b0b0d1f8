import { pause } from '@wherry/core';
import type { SourceStore } from '@wherry/sessions';
import type { ShardSet } from '@wherry/shards';
import type { LatencyLimits, StoreLatencies } from './throttle.ts';

const REPLICA_LAG = 'SELECT coalesce(max(extract(epoch FROM replay_lag)) * 1000, 0)::float8 AS lag FROM pg_stat_replication';

/** What a store that gives no answer within this is taken for, ms. */
const PATIENCE_MS = 2000;

/** Options of {@link lookAtStores}. */
export interface StoreWatchOptions {
  readonly source: Pick<SourceStore, 'now'>;
  readonly shards: Pick<ShardSet, 'ping' | 'all'>;
  readonly limits: LatencyLimits;
  readonly signal: AbortSignal;
}

/**
 * Asks each store something small: what that takes is the time for which the questions of others wait as well, whatever
 * the size of our own batches. Only what has a limit is asked. A store that fails counts as slow.
 */
export async function lookAtStores({ source, shards, limits, signal }: StoreWatchOptions): Promise<StoreLatencies> {
  const timed = async (limit: number, ask: () => Promise<unknown>): Promise<number | null> => {
    if (limit === 0) return null;
    const from = performance.now();
    const over = new AbortController();
    const late = pause(PATIENCE_MS, AbortSignal.any([signal, over.signal])).then(() => false);
    const answered = await Promise.race([ask().then(() => true), late]).catch(() => false);
    over.abort();
    return answered ? performance.now() - from : PATIENCE_MS;
  };
  const [sourceMs, targetMs, replicaLagMs] = await Promise.all([
    timed(limits.sourceMs, () => source.now()),
    timed(limits.targetMs, () => shards.ping()),
    limits.replicaLagMs === 0 ? null : replicaLag(shards),
  ]);
  return { sourceMs, targetMs, replicaLagMs };
}

/** The greatest lag of a replica of any shard, as PostgreSQL itself reports it (`pg_stat_replication.replay_lag`); null: not known. */
async function replicaLag(shards: Pick<ShardSet, 'all'>): Promise<number | null> {
  try {
    const lags = await Promise.all(
      shards.all.map(async ({ database }) => (await database.query<{ lag: number }>(REPLICA_LAG)).rows[0]?.lag ?? 0),
    );
    return Math.max(0, ...lags);
  } catch {
    return null;
  }
}
