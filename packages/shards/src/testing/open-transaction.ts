import type { QueryResult, QueryResultRow } from 'pg';
import { asMysql, asPostgres, type ShardDatabase } from '../shard-database.ts';

/** A transaction that a test keeps open. */
export interface OpenTransaction {
  query<R extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<R>>;
  /** Ends it, and gives the connection back. */
  end(how: 'COMMIT' | 'ROLLBACK'): Promise<void>;
}

/** Begins a transaction on either dialect. */
export async function openTransaction(database: ShardDatabase): Promise<OpenTransaction> {
  const mysql = asMysql(database);
  if (mysql !== undefined) {
    const begun = Promise.withResolvers<OpenTransaction['query']>();
    const ended = Promise.withResolvers<void>();
    const session = mysql.session(async (connection) => {
      await connection.query('START TRANSACTION');
      begun.resolve(connection.query);
      await ended.promise;
    });
    const query = await begun.promise;
    return {
      query,
      end: async (how) => {
        await query(how);
        ended.resolve();
        await session;
      },
    };
  }
  const client = await asPostgres(database).connect();
  await client.query('BEGIN');
  return {
    query: async <R extends QueryResultRow>(text: string, values: readonly unknown[] = []) => client.query<R>(text, [...values]),
    end: async (how) => {
      await client.query(how);
      client.release();
    },
  };
}
