import { WherryError } from '@wherry/core';
import { applySchema, type SchemaPart } from '@wherry/core/control';
import { applyMysqlSchema } from './mysql/mysql-schema.ts';
import { asMysql, asPostgres, type ShardDatabase } from './shard-database.ts';

/** The slot map and the worker ids, in the control database. Needs the tables of `coreSchema`. */
export const shardsControlSchema: SchemaPart = { part: 'shards', folder: new URL('../sql/control/', import.meta.url) };

/** Tables of the shards. */
export interface ShardSchemaPart extends SchemaPart {
  /** The numbered files for MySQL and MariaDB; missing: they cannot hold these tables. Their statements can be repeated. */
  readonly mysqlFolder?: URL;
}

/** What every shard needs before any other table: the owners of its slots. */
export const shardSchema: ShardSchemaPart = {
  part: 'shard',
  folder: new URL('../sql/shard/', import.meta.url),
  mysqlFolder: new URL('../sql/shard-mysql/', import.meta.url),
};

/** Brings a shard to the state of the numbered files of its dialect. Errors: those of `applySchema`; `config_invalid` for tables that MySQL cannot hold. */
export async function applyShardSchema(database: ShardDatabase, parts: readonly ShardSchemaPart[]): Promise<void> {
  const mysql = asMysql(database);
  if (mysql === undefined) {
    await applySchema(asPostgres(database), parts);
    return;
  }
  const folders = parts.map(({ part, mysqlFolder }) => {
    if (mysqlFolder !== undefined) return { part, folder: mysqlFolder };
    throw new WherryError('config_invalid', `the tables of ${part} are for PostgreSQL only, and a shard has a mysql:// address`);
  });
  await applyMysqlSchema(mysql, folders);
}
