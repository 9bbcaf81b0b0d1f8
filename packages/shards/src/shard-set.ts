import { WherryError, noMetrics, type Component, type Metrics, type Sample } from '@wherry/core';
import type { QueryResult, QueryResultRow } from 'pg';
import type { RowReader } from './rows/message-splitter.ts';
import {
  Shard,
  type QueryOptions,
  type RowArray,
  type ShardAddress,
  type ShardOptions,
  type RowStatement,
  type Statement,
} from './shard.ts';

/** Options of {@link ShardSet}. */
export interface ShardSetOptions extends ShardOptions {
  /** In the order of their numbers in the slot map. The order never changes; new ones are added at the end. */
  readonly shards: readonly ShardAddress[];
  readonly metrics?: Metrics;
}

const BREAKER_VALUE = { closed: 0, 'half-open': 1, open: 2 } as const;

/** The database instances that the slots are spread over. */
export class ShardSet implements Component {
  readonly name = 'shards';
  readonly #shards: readonly Shard[];
  #stopping: Promise<unknown> | undefined;

  constructor(options: ShardSetOptions) {
    this.#shards = options.shards.map((address) => new Shard(address, options));
    this.#observe(options.metrics ?? noMetrics);
  }

  /** How many shards there are. */
  get size(): number {
    return this.#shards.length;
  }

  /** All shards, in the order of their numbers. */
  get all(): readonly Shard[] {
    return this.#shards;
  }

  /** A shard by its number. Throws `config_invalid` when the slot map names one that is not configured. */
  shard(index: number): Shard {
    const shard = this.#shards[index];
    if (shard === undefined) throw new WherryError('config_invalid', `the slot map names shard ${index}, and ${this.size} are configured`);
    return shard;
  }

  /** Runs an idempotent statement on a shard; rows as objects. */
  async query<R extends QueryResultRow>(index: number, statement: Statement, options?: QueryOptions): Promise<QueryResult<R>> {
    return this.shard(index).query<R>(statement, options);
  }

  /** Runs an idempotent statement on a shard; rows as arrays, bigint columns as numbers. */
  async queryArrays(index: number, statement: Statement, options?: QueryOptions): Promise<RowArray[]> {
    return this.shard(index).queryArrays(statement, options);
  }

  /** Runs an idempotent statement on a shard and hands its rows to the reader that `begin` makes for each try. */
  async readRows(index: number, statement: RowStatement, begin: () => RowReader, options?: QueryOptions): Promise<void> {
    await this.shard(index).readRows(statement, begin, options);
  }

  /** Asks every shard for a sign of life. Throws `shard_unavailable` when one gives none. */
  async ping(options: QueryOptions = {}): Promise<void> {
    await Promise.all(
      this.#shards.map(async (shard) => shard.query({ name: 'ping', text: 'SELECT 1', values: [] }, { deadlineMs: 1000, ...options })),
    );
  }

  /** Closes the connections. Called again it waits for the same end. */
  async stop(): Promise<void> {
    this.#stopping ??= Promise.all(this.#shards.map(async (shard) => shard.close()));
    await this.#stopping;
  }

  #observe(metrics: Metrics): void {
    const each = (read: (shard: Shard) => number) => (): Sample[] =>
      this.#shards.map((shard) => ({ value: read(shard), labels: { shard: shard.name } }));
    const labels = ['shard'];
    metrics.observeCounter(
      { name: 'wherry_shard_statements_total', help: 'Statements sent.', labels },
      each(({ counts }) => counts.statements),
    );
    metrics.observeCounter(
      { name: 'wherry_shard_errors_total', help: 'Statements that failed.', labels },
      each(({ counts }) => counts.errors),
    );
    metrics.observeCounter(
      { name: 'wherry_shard_retries_total', help: 'Statements sent again.', labels },
      each(({ counts }) => counts.retries),
    );
    metrics.observeCounter(
      { name: 'wherry_shard_rejected_total', help: 'Statements turned away unsent.', labels },
      each(({ counts }) => counts.rejected),
    );
    metrics.observeGauge(
      { name: 'wherry_shard_in_flight', help: 'Statements under way.', labels },
      each(({ counts }) => counts.inFlight),
    );
    metrics.observeGauge(
      { name: 'wherry_shard_breaker_state', help: 'Circuit breaker: 0 closed, 1 half open, 2 open.', labels },
      each(({ breaker }) => BREAKER_VALUE[breaker.state]),
    );
  }
}
