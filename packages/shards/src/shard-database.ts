import { openDatabase, type Database, type Queryable } from '@wherry/core/control';
import { dialectOf } from './dialect.ts';
import { MysqlDatabase } from './mysql/mysql-database.ts';

/** The database of a shard, of either dialect: for its schema, its owners, and for people. The data path goes through `Shard`. */
export interface ShardDatabase extends Queryable {
  /** Missing: PostgreSQL. */
  readonly dialect?: 'mysql';
  end(): Promise<void>;
}

/** Opens a pool of the dialect that the address names. */
export function openShardDatabase(options: {
  readonly url: string;
  readonly poolSize?: number;
  readonly statementMs?: number;
}): ShardDatabase {
  return dialectOf(options.url) === 'mysql' ? new MysqlDatabase(options) : openDatabase(options);
}

/** The database where it is MySQL or MariaDB. */
export function asMysql(database: ShardDatabase): MysqlDatabase | undefined {
  return database instanceof MysqlDatabase ? database : undefined;
}

/** The database where it is PostgreSQL; whoever calls this has asked {@link asMysql} before. */
export function asPostgres(database: ShardDatabase): Database {
  return database as Database;
}
