import { WherryError, backoffDelay, pause, systemClock, type Clock } from '@wherry/core';
import type { QueryResult, QueryResultRow } from 'pg';
import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker.ts';
import { dialectOf, type Dialect, type SqlText } from './dialect.ts';
import { MysqlDriver } from './mysql/mysql-driver.ts';
import { PostgresDriver } from './postgres-driver.ts';
import type { RowReader } from './rows/message-splitter.ts';
import type { ShardDatabase } from './shard-database.ts';
import type { ShardDriver } from './shard-driver.ts';
import { isOutage, isShardTransient, shardError } from './shard-error.ts';

/** Where one shard is. */
export interface ShardAddress {
  /** For people, logs and metrics. */
  readonly name: string;
  /** `postgres://user:password@host:port/name`, or `mysql://…` for MySQL and MariaDB. Never logged. */
  readonly url: string;
}

/** Options of every shard. Times in milliseconds. */
export interface ShardOptions {
  /** Connections; default 8. */
  readonly poolSize?: number;
  /** Most statements under way or waiting for a connection; default 256. More are turned away: `shard_unavailable`. */
  readonly maxInFlight?: number;
  /** Bound of one try of a statement; default 2000. */
  readonly statementMs?: number;
  /** Bound of a statement with its repeats; default 5000. */
  readonly deadlineMs?: number;
  readonly breaker?: CircuitBreakerOptions;
  readonly clock?: Clock;
}

/** A statement; PostgreSQL prepares it on each connection under its name at its first use. */
export interface Statement {
  readonly name: string;
  readonly text: SqlText;
  readonly values: readonly unknown[];
}

/** The same for {@link Shard.readRows}: values in text form, or in binary form as bytes. */
export interface RowStatement extends Statement {
  readonly values: readonly (string | Uint8Array | null)[];
}

/** A statement that can be repeated after a lost connection: on the data path, all of them. */
export interface QueryOptions {
  /** Bound with all repeats, ms; default that of the shard. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** Numbers of one shard since the start. */
export interface ShardCounts {
  statements: number;
  errors: number;
  retries: number;
  rejected: number;
  inFlight: number;
}

/** A column of rows in the order of the statement's columns. bigint columns that hold times, epochs and versions come as numbers. */
export type RowArray = readonly unknown[];

/** Calls for which a statement goes out beside others: the fixed cost of one is that of a dozen rows. */
export const WORTH_A_STATEMENT = 32;

/** One database instance: its pool, its limit and its breaker. */
export class Shard {
  readonly name: string;
  readonly dialect: Dialect;
  readonly database: ShardDatabase;
  readonly breaker: CircuitBreaker;
  readonly counts: ShardCounts = { statements: 0, errors: 0, retries: 0, rejected: 0, inFlight: 0 };
  readonly #clock: Clock;
  readonly #maxInFlight: number;
  readonly #deadlineMs: number;
  readonly #statementMs: number;
  readonly #driver: ShardDriver;

  constructor(address: ShardAddress, options: ShardOptions = {}) {
    this.name = address.name;
    this.#clock = options.clock ?? systemClock;
    this.#maxInFlight = options.maxInFlight ?? 256;
    this.#deadlineMs = options.deadlineMs ?? 5000;
    this.#statementMs = options.statementMs ?? 2000;
    this.breaker = new CircuitBreaker({ clock: this.#clock, ...options.breaker });
    this.dialect = dialectOf(address.url);
    const connection = { url: address.url, poolSize: options.poolSize ?? 8, statementMs: this.#statementMs };
    this.#driver = this.dialect === 'mysql' ? new MysqlDriver(connection) : new PostgresDriver(connection);
    this.database = this.#driver.database;
  }

  /** Runs an idempotent statement; rows as arrays. Throws `shard_unavailable`, or `internal` for a refused statement. */
  async queryArrays(statement: Statement, options: QueryOptions = {}): Promise<RowArray[]> {
    return this.#run(options, (timeoutMs) => this.#driver.queryArrays(statement, timeoutMs));
  }

  /**
   * Runs an idempotent statement and hands its rows, as they come, to the reader that `begin` makes for each try: what a
   * try before has read does not count. Throws as {@link queryArrays}.
   */
  async readRows(statement: RowStatement, begin: () => RowReader, options: QueryOptions = {}): Promise<void> {
    await this.#run(options, (timeoutMs) => this.#driver.readRows(statement, begin(), timeoutMs));
  }

  /** Runs an idempotent statement; rows as objects, bigint columns as bigint. Throws as {@link queryArrays}. */
  async query<R extends QueryResultRow>(statement: Statement, options: QueryOptions = {}): Promise<QueryResult<R>> {
    return this.#run(options, (timeoutMs) => this.#driver.query<R>(statement, timeoutMs));
  }

  async close(): Promise<void> {
    await this.#driver.end();
  }

  async #run<T>(options: QueryOptions, send: (timeoutMs: number) => Promise<T>): Promise<T> {
    const deadline = this.#clock.monotonic() + (options.deadlineMs ?? this.#deadlineMs);
    for (let attempt = 0; ; attempt++) {
      const left = deadline - this.#clock.monotonic();
      try {
        return await this.#once(Math.max(1, Math.min(left, this.#statementMs)), send);
      } catch (error) {
        const wait = backoffDelay(attempt, { baseMs: 20, maxMs: 250 });
        const out = this.#clock.monotonic() + wait >= deadline || options.signal?.aborted === true;
        // An open breaker is an answer: whoever can wait longer asks again.
        if (out || error instanceof WherryError || !isShardTransient(error)) throw shardError(this.name, error);
        this.counts.retries++;
        await pause(wait, options.signal);
      }
    }
  }

  async #once<T>(timeoutMs: number, send: (timeoutMs: number) => Promise<T>): Promise<T> {
    if (this.counts.inFlight >= this.#maxInFlight) throw this.#turnedAway('has as many statements under way as it may');
    if (!this.breaker.tryPass()) throw this.#turnedAway('did not answer lately');
    this.counts.inFlight++;
    this.counts.statements++;
    try {
      const result = await send(timeoutMs);
      this.breaker.succeeded();
      return result;
    } catch (error) {
      this.counts.errors++;
      if (isOutage(error)) this.breaker.failed();
      else this.breaker.succeeded();
      throw error;
    } finally {
      this.counts.inFlight--;
    }
  }

  #turnedAway(why: string): WherryError {
    this.counts.rejected++;
    return new WherryError('shard_unavailable', `shard ${this.name} ${why}`, { data: { shard: this.name } });
  }
}
