import type { ShardSchemaPart } from '@wherry/shards';

/** The table of login records, on every shard. Needs the tables of `shardSchema`. */
export const sessionsShardSchema: ShardSchemaPart = {
  part: 'sessions',
  folder: new URL('../../sql/shard/', import.meta.url),
  mysqlFolder: new URL('../../sql/shard-mysql/', import.meta.url),
};
