import { WherryError, backoffDelay, pause, systemClock, type Clock } from '@wherry/core';
import { isTransient, openDatabase, type Database } from '@wherry/core/control';
import type { QueryArrayResult, QueryResult, QueryResultRow } from 'pg';
import { RowClient } from './rows/row-client.ts';
import { readRows } from './rows/row-query.ts';
import type { RowReader } from './rows/message-splitter.ts';
import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker.ts';
import { isOutage, shardError } from './shard-error.ts';

/** Where one shard is. */
export interface ShardAddress {
  /** For people, logs and metrics. */
  readonly name: string;
  /** `postgres://user:password@host:port/name`. Never logged. */
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

/** A statement, prepared on each connection under its name at its first use. */
export interface Statement {
  readonly name: string;
  readonly text: string;
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

/** One database instance: its pool, its limit and its breaker. */
export class Shard {
  readonly name: string;
  readonly database: Database;
  readonly breaker: CircuitBreaker;
  readonly counts: ShardCounts = { statements: 0, errors: 0, retries: 0, rejected: 0, inFlight: 0 };
  readonly #clock: Clock;
  readonly #maxInFlight: number;
  readonly #deadlineMs: number;
  readonly #statementMs: number;

  constructor(address: ShardAddress, options: ShardOptions = {}) {
    this.name = address.name;
    this.#clock = options.clock ?? systemClock;
    this.#maxInFlight = options.maxInFlight ?? 256;
    this.#deadlineMs = options.deadlineMs ?? 5000;
    this.#statementMs = options.statementMs ?? 2000;
    this.breaker = new CircuitBreaker({ clock: this.#clock, ...options.breaker });
    this.database = openDatabase({
      url: withSettings(address.url),
      poolSize: options.poolSize ?? 8,
      statementMs: this.#statementMs,
      applicationName: 'wherry-shards',
      client: RowClient,
    });
  }

  /** Runs an idempotent statement; rows as arrays. Throws `shard_unavailable`, or `internal` for a refused statement. */
  async queryArrays(statement: Statement, options: QueryOptions = {}): Promise<RowArray[]> {
    const result = await this.#run<QueryArrayResult<unknown[]>>(options, (query_timeout) =>
      this.database.query({ ...statement, rowMode: 'array', types: arrayTypes, query_timeout } as never),
    );
    return result.rows;
  }

  /**
   * Runs an idempotent statement and hands its rows, as they come, to the reader that `begin` makes for each try: what a
   * try before has read does not count. Throws as {@link queryArrays}.
   */
  async readRows(statement: RowStatement, begin: () => RowReader, options: QueryOptions = {}): Promise<void> {
    await this.#run(options, (timeoutMs) => readRows(this.database, { ...statement, reader: begin(), timeoutMs }));
  }

  /** Runs an idempotent statement; rows as objects, bigint columns as bigint. Throws as {@link queryArrays}. */
  async query<R extends QueryResultRow>(statement: Statement, options: QueryOptions = {}): Promise<QueryResult<R>> {
    return this.#run(options, (query_timeout) => this.database.query<R>({ ...statement, query_timeout } as never));
  }

  async close(): Promise<void> {
    await this.database.end();
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
        if (out || error instanceof WherryError || !isTransient(error)) throw shardError(this.name, error);
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

/** The address with our settings added to those that it names itself: what a URL says goes before a pool's options. */
function withSettings(url: string): string {
  const address = new URL(url);
  const settings = PLANNER.map((setting) => `-c ${setting}`).join(' ');
  const own = address.searchParams.get('options');
  address.searchParams.set('options', own === null ? settings : `${settings} ${own}`);
  return address.href;
}
