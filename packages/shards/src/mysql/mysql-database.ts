import { WherryError, backoffDelay, pause } from '@wherry/core';
import type { FieldPacket, Pool, PoolConnection } from 'mysql2';
import type { QueryResult, QueryResultRow } from 'pg';
import { isInteger } from './data-row.ts';
import { renderSql } from './literal.ts';
import { isMysqlConflict } from './mysql-error.ts';

/** Options of {@link MysqlDatabase}. Times in milliseconds. */
export interface MysqlDatabaseOptions {
  /** `mysql://user:password@host:port/name`. Never logged. */
  readonly url: string;
  /** Most connections; default 8. */
  readonly poolSize?: number;
  /** Bound of one statement, and of the wait for a connection; default 5000. */
  readonly statementMs?: number;
}

/** Rows in the text form in which they came, with the columns' descriptions. */
export interface MysqlRows {
  readonly rows: readonly (readonly (Buffer | null)[])[];
  readonly columns: readonly FieldPacket[];
  /** Rows that the statement has matched. */
  readonly affected: number;
}

/** One connection, for statements that belong together. */
export interface MysqlSession {
  /** Runs one statement, or several that go in one message; the rows are those of the last that answers some. */
  readonly run: (text: string, values?: readonly unknown[]) => Promise<MysqlRows>;
  /** The same; rows as objects. */
  readonly query: <R extends QueryResultRow>(text: string, values?: readonly unknown[]) => Promise<QueryResult<R>>;
}

/**
 * READ COMMITTED, so that each statement sees what is committed and locks no gaps. The modes are named so that a server's
 * own cannot make it cut values off, nor read our texts in another way. Lock waits are bound, by whole seconds.
 */
const SETTINGS = `
  SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
  SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', SESSION autocommit = 1, SESSION innodb_lock_wait_timeout = $1;
  SELECT @@max_allowed_packet`;

/** How often {@link MysqlDatabase.repeated} is repeated. */
const MAX_CONFLICTS = 20;

/**
 * A pool of connections to MySQL or MariaDB. The driver is loaded with the first statement. Several statements may go in
 * one message (`a; b; c`): a transaction costs one round trip then, and no lock waits for the network.
 */
export class MysqlDatabase {
  readonly dialect = 'mysql' as const;
  readonly #options: MysqlDatabaseOptions;
  readonly #statementMs: number;
  readonly #packetBytes = new WeakMap<PoolConnection, number>();
  #pool: Promise<Pool> | undefined;

  constructor(options: MysqlDatabaseOptions) {
    this.#options = options;
    this.#statementMs = options.statementMs ?? 5000;
  }

  /** Rows as objects; integers of 64 bits as bigint, bytes as Buffer, everything else as text or number. */
  async query<R extends QueryResultRow>(text: string, values: readonly unknown[] = [], timeoutMs?: number): Promise<QueryResult<R>> {
    return resultOf<R>(await this.run(text, values, timeoutMs));
  }

  /** Runs one statement, or several in one message. What it began and did not end, for it failed, is rolled back. */
  async run(text: string, values: readonly unknown[] = [], timeoutMs: number = this.#statementMs): Promise<MysqlRows> {
    const sql = renderSql(text, values);
    return this.#using(timeoutMs, (connection) => this.#send(connection, sql, timeoutMs));
  }

  /** Runs `work` on one connection. */
  async session<T>(work: (session: MysqlSession) => Promise<T>): Promise<T> {
    return this.#using(this.#statementMs, async (connection) => {
      const run: MysqlSession['run'] = (text, values = []) => this.#send(connection, renderSql(text, values), this.#statementMs);
      return work({ run, query: async (text, values) => resultOf(await run(text, values)) });
    });
  }

  /** As {@link run}, again where it met another transaction: for what is idempotent. */
  async repeated(text: string, values: readonly unknown[] = []): Promise<MysqlRows> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.run(text, values);
      } catch (error) {
        if (attempt >= MAX_CONFLICTS || !isMysqlConflict(error)) throw error;
        await pause(backoffDelay(attempt, { baseMs: 2, maxMs: 100 }));
      }
    }
  }

  /** Closes the connections. */
  async end(): Promise<void> {
    const pool = await this.#pool?.catch(() => undefined);
    this.#pool = Promise.reject(lost('POOL_CLOSED', 'the pool was closed'));
    this.#pool.catch(() => undefined);
    if (pool !== undefined) await new Promise<void>((resolve) => pool.end(() => resolve()));
  }

  async #using<T>(timeoutMs: number, work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await this.#acquire(timeoutMs);
    try {
      if (!this.#packetBytes.has(connection)) await this.#prepare(connection, timeoutMs);
      const result = await work(connection);
      connection.release();
      return result;
    } catch (error) {
      await this.#recover(connection);
      throw scrubbed(error);
    }
  }

  /** After a fault the connection is given back in a known state, or not at all. */
  async #recover(connection: PoolConnection): Promise<void> {
    try {
      await this.#send(connection, 'ROLLBACK', 1000);
      connection.release();
    } catch {
      connection.destroy();
    }
  }

  async #prepare(connection: PoolConnection, timeoutMs: number): Promise<void> {
    const { rows } = await this.#send(connection, renderSql(SETTINGS, [Math.ceil(this.#statementMs / 1000)]), timeoutMs);
    this.#packetBytes.set(connection, Number(rows[0]?.[0]?.toString('latin1')));
  }

  async #send(connection: PoolConnection, sql: string, timeoutMs: number): Promise<MysqlRows> {
    // The server would close the connection, and nobody could tell that from an outage. All our texts are ASCII.
    if (sql.length + 1024 > (this.#packetBytes.get(connection) ?? Infinity))
      throw new WherryError('record_unstorable', 'the statement is longer than the database takes (max_allowed_packet)');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(lost('PROTOCOL_SEQUENCE_TIMEOUT', 'the statement was not answered in time'));
        connection.destroy();
      }, timeoutMs);
      connection.query({ sql, rowsAsArray: true, typeCast: false }, (error: Error | null, results: unknown, fields: unknown) => {
        clearTimeout(timer);
        if (error === null) resolve(lastRows(results, fields));
        else reject(error);
      });
    });
  }

  async #acquire(timeoutMs: number): Promise<PoolConnection> {
    this.#pool ??= this.#open();
    const pool = await this.#pool;
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(lost('PROTOCOL_SEQUENCE_TIMEOUT', 'no connection came free in time'));
      }, timeoutMs);
      pool.getConnection((error, connection) => {
        clearTimeout(timer);
        if (error !== null) reject(error);
        else if (late) connection.release();
        else resolve(connection);
      });
    });
  }

  async #open(): Promise<Pool> {
    const { createPool } = await import('mysql2').catch((cause: unknown) => {
      throw new WherryError('config_invalid', 'a shard has a mysql:// address, and the package mysql2 is not installed', { cause });
    });
    return createPool({
      uri: this.#options.url.replace(/^mariadb:/, 'mysql:'),
      connectionLimit: this.#options.poolSize ?? 8,
      connectTimeout: Math.max(3000, this.#statementMs),
      multipleStatements: true,
      charset: 'utf8mb4_bin',
      idleTimeout: 30_000,
      enableKeepAlive: true,
    });
  }
}

/** Of several statements, the rows of the last that has some; the rows matched by all. */
function lastRows(results: unknown, fields: unknown): MysqlRows {
  const several = Array.isArray(fields) && fields.some((each) => each === undefined || Array.isArray(each));
  const answers = (several ? results : [results]) as unknown[];
  const descriptions = (several ? fields : [fields]) as (FieldPacket[] | undefined)[];
  const at = descriptions.findLastIndex((each) => each !== undefined);
  const affected = answers.reduce<number>((sum, each) => sum + ((each as { affectedRows?: number }).affectedRows ?? 0), 0);
  return { rows: at < 0 ? [] : (answers[at] as MysqlRows['rows']), columns: descriptions[at] ?? [], affected };
}

function resultOf<R extends QueryResultRow>({ rows, columns, affected }: MysqlRows): QueryResult<R> {
  const read = columns.map((column) => (isInteger(column) ? (isLong(column) ? bigintOf : numberOf) : isBytes(column) ? same : textOf));
  const objects = rows.map((row) =>
    Object.fromEntries(columns.map(({ name }, at) => [name, row[at] === null ? null : read[at]?.(row[at] as Buffer)])),
  );
  return { rows: objects as R[], rowCount: columns.length > 0 ? rows.length : affected, command: '', oid: 0, fields: [] };
}

/** The driver hangs the statement, values and all, on its errors. */
function scrubbed(error: unknown): unknown {
  if (error instanceof Error && 'sql' in error) delete error.sql;
  return error;
}

function lost(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

const LONGLONG = 8;
const BINARY = 63;
const isLong = ({ columnType, type }: FieldPacket): boolean => (columnType ?? type) === LONGLONG;
const NEWDECIMAL = 246;
const isBytes = (column: FieldPacket): boolean =>
  (column as { readonly characterSet?: number }).characterSet === BINARY && (column.columnType ?? column.type) !== NEWDECIMAL;
const bigintOf = (bytes: Buffer): bigint => BigInt(bytes.toString('latin1'));
const numberOf = (bytes: Buffer): number => Number(bytes.toString('latin1'));
const textOf = (bytes: Buffer): string => bytes.toString();
const same = (bytes: Buffer): Buffer => bytes;
