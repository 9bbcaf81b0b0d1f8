/** What the two shards of a demonstration or a soak run on: PostgreSQL, MariaDB, or one on each. */
export const SHARD_KINDS = ['postgres', 'mysql', 'mixed'] as const;
export type ShardKind = (typeof SHARD_KINDS)[number];

/** True where the shard of that place runs on MariaDB. */
export function isOnMysql(kind: ShardKind, shard: number): boolean {
  return kind === 'mysql' || (kind === 'mixed' && shard === 1);
}
