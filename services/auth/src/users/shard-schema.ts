import type { SchemaPart } from '@wherry/core/control';

/** The tables of registered users and their names, on every shard. Needs the tables of `shardSchema`. */
export const authShardSchema: SchemaPart = { part: 'auth', folder: new URL('../../sql/shard/', import.meta.url) };
