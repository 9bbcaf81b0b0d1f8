import type { ShardSchemaPart } from '@wherry/shards';

/** The tables of registered users and their names, on every shard. Needs the tables of `shardSchema`. */
export const authShardSchema: ShardSchemaPart = {
  part: 'auth',
  folder: new URL('../../sql/shard/', import.meta.url),
  mysqlFolder: new URL('../../sql/shard-mysql/', import.meta.url),
};
