import { openDatabase, type Database } from '@wherry/core/control';
import type { QueryArrayResult, QueryResult, QueryResultRow } from 'pg';
import { sqlFor } from './dialect.ts';
import type { RowReader } from './rows/message-splitter.ts';
import { RowClient } from './rows/row-client.ts';
import { readRows } from './rows/row-query.ts';
import type { ShardConnection, ShardDriver } from './shard-driver.ts';
import type { RowArray, RowStatement, Statement } from './shard.ts';

const INT8 = 20;
const BOOL = 16;
const INT4 = 23;
const BYTEA = 17;

/** Parsers for rows as arrays: every bigint that is read this way is below 2^53. */
const arrayTypes = {
  getTypeParser: (oid: number): ((text: string) => unknown) => {
    switch (oid) {
      case INT8:
      case INT4:
        return Number;
      case BOOL:
        return (text) => text === 't';
      case BYTEA:
        return (text) => Buffer.from(text.slice(2), 'hex');
      default:
        return (text) => text;
    }
  },
};

/**
 * Every statement here finds its rows by key. The planner does not know that of tables that were empty a second ago,
 * and a plan made then lives on: so it is kept from scanning tables, and from planning again and again.
 */
const PLANNER = ['default_transaction_isolation=read\\ committed', 'plan_cache_mode=force_generic_plan', 'enable_seqscan=off', 'jit=off'];

/** PostgreSQL: statements are prepared, and rows read from the bytes in which they come. */
export class PostgresDriver implements ShardDriver {
  readonly database: Database;
  /** As the driver's own, whose types know neither the bound nor a name together with rows as arrays. */
  readonly #queryRows: (query: object) => Promise<QueryArrayResult<unknown[]>>;

  constructor({ url, poolSize, statementMs }: ShardConnection) {
    this.database = openDatabase({ url: withSettings(url), poolSize, statementMs, applicationName: 'wherry-shards', client: RowClient });
    this.#queryRows = this.database.query.bind(this.database);
  }

  async queryArrays({ name, text, values }: Statement, timeoutMs: number): Promise<RowArray[]> {
    const query = { name, text: sqlFor(text, 'postgres'), values, rowMode: 'array', types: arrayTypes, query_timeout: timeoutMs };
    const { rows } = await this.#queryRows(query);
    return rows;
  }

  async readRows({ name, text, values }: RowStatement, reader: RowReader, timeoutMs: number): Promise<void> {
    await readRows(this.database, { name, text: sqlFor(text, 'postgres'), values, reader, timeoutMs });
  }

  async query<R extends QueryResultRow>({ name, text, values }: Statement, timeoutMs: number): Promise<QueryResult<R>> {
    return this.database.query<R>({ name, text: sqlFor(text, 'postgres'), values, query_timeout: timeoutMs } as never);
  }

  async end(): Promise<void> {
    await this.database.end();
  }
}

/** The address with our settings added to those that it names itself: what a URL says goes before a pool's options. */
function withSettings(url: string): string {
  const address = new URL(url);
  const settings = PLANNER.map((setting) => `-c ${setting}`).join(' ');
  const own = address.searchParams.get('options');
  address.searchParams.set('options', own === null ? settings : `${settings} ${own}`);
  return address.href;
}
