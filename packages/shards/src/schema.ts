import type { SchemaPart } from '@wherry/core/control';

/** The slot map and the worker ids, in the control database. Needs the tables of `coreSchema`. */
export const shardsControlSchema: SchemaPart = { part: 'shards', folder: new URL('../sql/control/', import.meta.url) };

/** What every shard needs before any other table: the owners of its slots. */
export const shardSchema: SchemaPart = { part: 'shard', folder: new URL('../sql/shard/', import.meta.url) };
