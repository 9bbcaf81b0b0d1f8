import pg from 'pg';
import { WherryError } from '../errors.ts';

/** Something that runs SQL: a pool, or one connection inside a transaction. */
export interface Queryable {
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
}

/** A pool of connections. */
export type Database = pg.Pool;

/** One connection inside a transaction. */
export type Transaction = pg.PoolClient;

/** Options of {@link openDatabase}. */
export interface DatabaseOptions {
  /** `postgres://user:password@host:port/name`. Never logged. */
  readonly url: string;
  /** Most connections; default 8. */
  readonly poolSize?: number;
  /** Bound of one statement in milliseconds; default 5000. Whoever gives statements longer than 3000 waits as long for a connection too. */
  readonly statementMs?: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  /** What a connection is made of; default the driver's own. */
  readonly client?: typeof pg.Client;
}

/** Least wait for a connection. */
const CONNECT_MS = 3000;
const INT8 = 20;

/** Parsers of column types: bigint columns become bigint, so that no id loses its low bits. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? BigInt : pg.types.getTypeParser(oid, format),
};

/** Opens a pool. READ COMMITTED is set at connect: the fence does not work under REPEATABLE READ. */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize ?? 8,
    connectionTimeoutMillis: Math.max(CONNECT_MS, options.statementMs ?? 0),
    idleTimeoutMillis: 30_000,
    statement_timeout: options.statementMs ?? 5000,
    query_timeout: (options.statementMs ?? 5000) + 1000,
    application_name: options.applicationName ?? 'wherry',
    options: '-c default_transaction_isolation=read\\ committed',
    keepAlive: true,
    types,
    ...(options.client === undefined ? {} : { Client: options.client }),
  });
  // An idle connection that the server closes would otherwise end the process.
  pool.on('error', () => undefined);
  return pool;
}

/** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
export async function transaction<T>(database: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const tx = await database.connect();
  let broken: Error | undefined;
  // A connection that is lost says so to its statements and once more to its listeners; without one the process ends.
  const onLost = (error: Error): void => {
    broken = error;
  };
  tx.on('error', onLost);
  try {
    await tx.query('BEGIN');
    const result = await work(tx);
    await tx.query('COMMIT');
    return result;
  } catch (error) {
    await tx.query('ROLLBACK').catch((cause: unknown) => {
      broken = cause instanceof Error ? cause : new Error('rollback failed');
    });
    throw error;
  } finally {
    // A connection whose rollback failed is in an unknown state: it is closed, not given back.
    tx.off('error', onLost);
    tx.release(broken);
  }
}

/** SQLSTATE classes and codes after which the same statement may succeed: conflicts, lost connections, a server that starts or stops. */
const TRANSIENT_SQLSTATE = /^(08|40001|40P01|53|55P03|57P0|57014)/;
const TRANSIENT_NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);
const TRANSIENT_MESSAGE = /Connection terminated|timeout exceeded|timeout expired|Query read timeout|not queryable|Client was closed/;

/** True when the same statement, which must be idempotent, is worth repeating. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isTransient);
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return TRANSIENT_SQLSTATE.test(code) || TRANSIENT_NETWORK.has(code);
  return TRANSIENT_MESSAGE.test(error.message);
}

/** Turns a lost control database into `control_unavailable`; anything else stays as it is. */
export function controlError(error: unknown): unknown {
  return isTransient(error) ? new WherryError('control_unavailable', 'the control database cannot be reached', { cause: error }) : error;
}
