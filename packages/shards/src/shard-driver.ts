import type { QueryResult, QueryResultRow } from 'pg';
import type { RowReader } from './rows/message-splitter.ts';
import type { ShardDatabase } from './shard-database.ts';
import type { RowArray, RowStatement, Statement } from './shard.ts';

/** What a driver is opened with. Times in milliseconds. */
export interface ShardConnection {
  readonly url: string;
  readonly poolSize: number;
  readonly statementMs: number;
}

/**
 * How a shard runs statements on its database. Each call is one try, whose bound is `timeoutMs`: it throws what the
 * database's driver throws, and the shard repeats it. After a failed try nothing of it is under way on a connection that
 * is used again; whether it was committed is open.
 */
export interface ShardDriver {
  readonly database: ShardDatabase;
  /** Rows as arrays. Integers come as numbers, bytes as Buffers; truth values as booleans or, on MySQL, as 0 and 1. */
  queryArrays(statement: Statement, timeoutMs: number): Promise<RowArray[]>;
  /** Hands each row to `reader`. */
  readRows(statement: RowStatement, reader: RowReader, timeoutMs: number): Promise<void>;
  /** Rows as objects; integers of 64 bits as bigint. */
  query<R extends QueryResultRow>(statement: Statement, timeoutMs: number): Promise<QueryResult<R>>;
  end(): Promise<void>;
}
