import type { SchemaPart } from '@wherry/core/control';

/** The table of login records, on every shard. Needs the tables of `shardSchema`. */
export const sessionsShardSchema: SchemaPart = { part: 'sessions', folder: new URL('../../sql/shard/', import.meta.url) };
