import type { SchemaPart } from '@wherry/core/control';

/** The table of token families, on every shard. Needs the tables of `shardSchema`. */
export const tokenFamilySchema: SchemaPart = { part: 'renewal', folder: new URL('../sql/shard/', import.meta.url) };
