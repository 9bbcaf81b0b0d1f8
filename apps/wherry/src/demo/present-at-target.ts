import type { ShardSet } from '@wherry/shards';

const LIVING = 'FROM user_session WHERE deleted_at IS NULL AND (expire_time IS NULL OR expire_time >';
const LIVE = {
  postgres: `SELECT encode(session_id, 'hex') AS digest ${LIVING} (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`,
  mysql: `SELECT LOWER(HEX(session_id)) AS digest ${LIVING} TIMESTAMPDIFF(SECOND, '1970-01-01', UTC_TIMESTAMP()) * 1000)`,
};

/** Those of the digests whose sessions live at the target, asked with SQL of its own and not with the engine's code. */
export async function presentAtTarget(shards: ShardSet, ids: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const shard of shards.all) {
    const { rows } = await shard.database.query<{ digest: string }>(LIVE[shard.dialect]);
    for (const { digest } of rows) found.add(digest);
  }
  return ids.filter((id) => found.has(id));
}
