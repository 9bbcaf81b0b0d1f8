import type { ShardSchemaPart } from '@wherry/shards';

/** The table of token families, on every shard. Needs the tables of `shardSchema`. */
export const tokenFamilySchema: ShardSchemaPart = {
  part: 'renewal',
  folder: new URL('../sql/shard/', import.meta.url),
  mysqlFolder: new URL('../sql/shard-mysql/', import.meta.url),
};
