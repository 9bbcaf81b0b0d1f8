import type { SessionKey } from '@wherry/sessions';
import type { SlotMap } from '@wherry/shards';
import type { Cluster } from '../cluster.ts';
import { copyIn } from '../copy-table.ts';
import { COLUMNS, copyLine, newKey, newSession } from './sample.ts';

/** Keys that are looked up: enough to reach every page of the tables, few enough to lie in memory beside the measuring. */
const SAMPLED = 50_000;
const PORTION = 20_000;

/** Fills the shards with `perShard` sessions each and answers a sample of their keys. */
export async function populate(cluster: Cluster, map: SlotMap, perShard: number): Promise<SessionKey[]> {
  const { shardUrls } = cluster;
  const total = perShard * shardUrls.length;
  const every = Math.max(1, Math.floor(total / SAMPLED));
  const sample: SessionKey[] = [];
  const now = Date.now();
  const table = `user_session (${COLUMNS.join(', ')})`;
  for (let from = 0; from < total; from += PORTION) {
    const lines = shardUrls.map((): string[] => []);
    for (let user = from; user < Math.min(total, from + PORTION); user++) {
      const key = newKey();
      if (user % every === 0) sample.push(key);
      lines[map.shardOf(key.slot)]?.push(copyLine(newSession(key, user, now)));
    }
    await Promise.all(shardUrls.map(async (url, shard) => copyIn(url, table, [Buffer.from((lines[shard] ?? []).join(''))])));
  }
  for (const url of shardUrls) await cluster.open(url).query('VACUUM ANALYZE user_session');
  return sample;
}
