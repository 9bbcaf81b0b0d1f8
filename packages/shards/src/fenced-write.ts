import { randomBytes } from 'node:crypto';
import { MicroBatcher, WherryError, backoffDelay, pause } from '@wherry/core';
import { bigintArray, byteaArray, intArray, textArray } from './array-parameter.ts';
import type { ByDialect } from './dialect.ts';
import { FENCE_CODES, fencedSql, type FenceColumn } from './fence.ts';
import type { SlotKey } from './gathered-read.ts';
import { batchDocument } from './mysql/batch-document.ts';
import { KEY_COLUMNS, fencedPacket, type FencedPacketOptions } from './mysql/fenced-packet.ts';
import { isDuplicate, isRowFault } from './shard-error.ts';
import { WORTH_A_STATEMENT, type RowArray } from './shard.ts';
import type { ShardSet } from './shard-set.ts';
import type { SlotFollower } from './slot-follower.ts';
import type { SlotMap } from './slot-map.ts';
import type { SlotPassage } from './slot-passage.ts';

/** What became of a row. `older`: what lies there is as new or newer. `ended`: a tombstone lies there. `collision`: another session has the id. */
export type WriteOutcome = 'applied' | 'older' | 'ended' | 'collision' | 'not_owned';

/** A row's outcome and what the statement answered of it, from {@link ANSWER_OFFSET} on. */
export interface Written {
  readonly outcome: WriteOutcome;
  readonly row: RowArray;
}

/** Options of {@link FencedWrite}. */
export interface FencedWriteOptions<I extends SlotKey> {
  /** Name of the prepared statement. */
  readonly name: string;
  readonly columns: readonly FenceColumn[];
  /** The value of a column for an item. */
  readonly value: (item: I, column: number) => unknown;
  /** See {@link fencedSql}. */
  readonly write: string;
  readonly refusal: string;
  readonly answer?: readonly string[];
  /** The same for MySQL and MariaDB; missing: it cannot be written there. */
  readonly mysql?: Omit<FencedPacketOptions, 'columns'>;
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly follower: SlotFollower;
  /** Most rows in one statement; default 200. */
  readonly maxRows?: number;
  /** Most rows in one statement of {@link FencedWrite.underEpochs}; default 500. */
  readonly maxRowsAtOnce?: number;
  /** Most statements under way per shard; default 2. */
  readonly maxInFlight?: number;
  /** Longest wait for a slot that is closing, ms; default 2000. */
  readonly deadlineMs?: number;
}

/** Options of {@link FencedWrite.underCurrent}. */
export interface CurrentOptions {
  /**
   * Called with the new passage when the write was refused under the former epoch, before it is repeated. False: it is
   * not repeated, and the outcome is `not_owned`. For writers whose row depends on the primary side.
   */
  readonly onMoved?: (passage: SlotPassage) => boolean;
}

/** Index of the first of a statement's own answers. */
export const ANSWER_OFFSET = 4;

interface Item<I> {
  readonly data: I;
  readonly epoch: number;
}

/** The batch's answer for one item: what was written, or the fault of that one row. */
type Answer = Written | WherryError;

/** How often a statement is repeated for rows that others keep changing between its snapshot and its write. */
const MAX_CONTESTED = 100;
/** How often a row that is there already under another key is tried again. */
const MAX_DUPLICATE = 3;

const NOT_OWNED: Written = { outcome: 'not_owned', row: [] };

/**
 * Writes rows under the fence, gathered into batches per shard. Batches hold a key once and are sorted, so that two of
 * them never wait for each other in a circle. A row at fault (a value that the database cannot store) fails alone.
 */
export class FencedWrite<I extends SlotKey> {
  readonly #options: FencedWriteOptions<I>;
  readonly #lanes: readonly MicroBatcher<Item<I>, Answer>[];
  readonly #text: ByDialect<string>;
  readonly #deadlineMs: number;

  constructor(options: FencedWriteOptions<I>) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 2000;
    const { mysql, columns } = options;
    this.#text = { postgres: fencedSql(options), mysql: mysql === undefined ? '' : fencedPacket({ ...mysql, columns }) };
    this.#lanes = options.shards.all.map(
      (_, shard) =>
        new MicroBatcher({
          run: (items) => this.#run(shard, items),
          maxSize: options.maxRows ?? 200,
          maxInFlight: options.maxInFlight ?? 2,
          worthOneMore: WORTH_A_STATEMENT,
        }),
    );
  }

  /**
   * Writes under `epoch` only: `not_owned` when it is not in force, and nothing is repeated under another. For writes
   * that were decided by what the slot was then, such as a mirror of the source. The caller holds the passage.
   */
  async underEpoch(data: I, epoch: number): Promise<Written> {
    const { map } = this.#options;
    // A newer epoch is known already: the shard that had this one may not be the slot's any more.
    if (map.epochOf(data.slot) !== epoch) return NOT_OWNED;
    return this.#add(data, map.shardOf(data.slot), epoch);
  }

  /**
   * The same for many at once, each under its own epoch: straight to the shards in large statements, a few at a time,
   * without a promise a row. Answered in their order. Throws when a row is at fault; the others may be written then.
   */
  async underEpochs(data: readonly I[], epochs: readonly number[]): Promise<Written[]> {
    const { map } = this.#options;
    const written: Written[] = Array.from({ length: data.length }, () => NOT_OWNED);
    const byShard = new Map<number, number[]>();
    for (const [index, { slot }] of data.entries()) {
      if (map.epochOf(slot) !== epochs[index]) continue;
      const shard = map.shardOf(slot);
      const indexes = byShard.get(shard);
      if (indexes === undefined) byShard.set(shard, [index]);
      else indexes.push(index);
    }
    const size = this.#options.maxRowsAtOnce ?? 500;
    await Promise.all(
      [...byShard].flatMap(([shard, indexes]) =>
        Array.from({ length: Math.ceil(indexes.length / size) }, async (_, chunk) => {
          const part = indexes.slice(chunk * size, (chunk + 1) * size);
          const answers = await this.#run(
            shard,
            part.map((index) => ({ data: data[index] as I, epoch: epochs[index] as number })),
          );
          for (const [at, index] of part.entries()) written[index] = resultOf(answers[at] as Answer);
        }),
      ),
    );
    return written;
  }

  /** Writes under whichever epoch is current, waiting while the slot is closing. Throws `slot_not_owned` after the deadline. */
  async underCurrent(data: I, options: CurrentOptions = {}): Promise<Written> {
    const { map, follower } = this.#options;
    let deadline: number | undefined;
    let refusedUnder: number | undefined;
    for (let attempt = 0; ; attempt++) {
      const passage = map.tryEnter(data.slot) ?? (await map.enter(data.slot, { timeoutMs: this.#deadlineMs }));
      try {
        if (refusedUnder !== undefined && refusedUnder !== passage.epoch && options.onMoved?.(passage) === false) return NOT_OWNED;
        refusedUnder = passage.epoch;
        const written = await this.#add(data, passage.shard, passage.epoch);
        if (written.outcome !== 'not_owned') return written;
      } finally {
        // Left before the waiting: whoever closes the slot waits for it.
        passage.leave();
      }
      deadline ??= follower.deadline(this.#deadlineMs);
      follower.check(data.slot, deadline);
      await follower.follow(data.slot, refusedUnder, attempt);
    }
  }

  async #add(data: I, shard: number, epoch: number): Promise<Written> {
    const lane = this.#lanes[shard];
    if (lane === undefined) throw new WherryError('config_invalid', `the slot map names shard ${shard}, which is not configured`);
    return resultOf(await lane.add({ data, epoch }));
  }

  /** Runs a batch as one statement; a key that comes twice in it goes in a second one, after the first. */
  async #run(shard: number, items: readonly Item<I>[]): Promise<Answer[]> {
    const answers: Answer[] = Array.from({ length: items.length });
    let waiting = items.map((_, index) => index);
    while (waiting.length > 0) {
      const seen = new Set<bigint>();
      const later: number[] = [];
      const now = waiting.filter((index) => {
        const id = items[index]?.data.id ?? 0n;
        if (!seen.has(id)) return seen.add(id);
        later.push(index);
        return false;
      });
      await this.#write(shard, items, now, answers);
      waiting = later;
    }
    return answers;
  }

  async #write(shard: number, items: readonly Item<I>[], indexes: number[], answers: Answer[]): Promise<void> {
    const order = indexes.toSorted((a, b) => compareKeys(items[a] as Item<I>, items[b] as Item<I>));
    let left = order;
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt > MAX_CONTESTED) throw new WherryError('conflict', 'the row kept changing under the statement');
      if (attempt > 0) await pause(backoffDelay(attempt, { baseMs: 1, maxMs: 20 }));
      let rows: RowArray[];
      try {
        rows = await this.#send(
          shard,
          left.map((index) => items[index] as Item<I>),
        );
      } catch (error) {
        if (!isRowFault(error)) throw error;
        // On PostgreSQL a row that is being inserted elsewhere may be met by another unique key than the one that the statement
        // looks for; by the next try it is there, and is met by its own.
        if (isDuplicate(error) && left.length === 1 && attempt < MAX_DUPLICATE) continue;
        await this.#isolate(shard, items, left, answers, error);
        return;
      }
      const undecided: number[] = [];
      for (const row of rows) {
        const index = left[(row[0] as number) - 1] as number;
        const outcome = outcomeOf(row);
        if (outcome === undefined) undecided.push(index);
        else answers[index] = outcome === 'not_owned' ? NOT_OWNED : { outcome, row };
      }
      left = undecided.toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
    }
  }

  /** Finds the rows at fault by halving: the others are written. */
  async #isolate(shard: number, items: readonly Item<I>[], indexes: number[], answers: Answer[], error: unknown): Promise<void> {
    const [only] = indexes;
    if (indexes.length === 1 && only !== undefined) {
      answers[only] = new WherryError('record_unstorable', 'the database cannot store a value of the record', { cause: error });
      return;
    }
    const middle = indexes.length >> 1;
    await this.#write(shard, items, indexes.slice(0, middle), answers);
    await this.#write(shard, items, indexes.slice(middle), answers);
  }

  async #send(shard: number, items: readonly Item<I>[]): Promise<RowArray[]> {
    const { name, columns, value, shards } = this.#options;
    if (shards.shard(shard).dialect === 'mysql') return this.#sendMysql(shard, items);
    const values = [
      intArray(items.map(({ data }) => data.slot)),
      bigintArray(items.map(({ epoch }) => epoch)),
      bigintArray(items.map(({ data }) => data.id)),
      ...columns.map(({ type }, column) =>
        arrayOf(
          type,
          items.map(({ data }) => value(data, column)),
        ),
      ),
    ];
    return shards.queryArrays(shard, { name, text: this.#text, values });
  }

  async #sendMysql(shard: number, items: readonly Item<I>[]): Promise<RowArray[]> {
    const { name, columns, value, shards, mysql } = this.#options;
    if (mysql === undefined)
      throw new WherryError('config_invalid', `shard ${shard} is MySQL or MariaDB, which cannot hold what ${name} writes`);
    const rows = items.map(({ data, epoch }) => [data.slot, epoch, data.id, ...columns.map((_, column) => value(data, column))]);
    const values = [batchDocument([...KEY_COLUMNS, ...columns], rows), randomBytes(8).readBigUInt64BE() >> 2n];
    const answers = await shards.queryArrays(shard, { name, text: this.#text, values });
    return answers.map(([ordinal, owned, written, ...rest]) => [ordinal, owned === 1, written === 1, ...rest]);
  }
}

function resultOf(answer: Answer): Written {
  if (answer instanceof WherryError) throw answer;
  return answer;
}

/** undefined: the row changed between the statement's snapshot and its write, and nobody can say from this run why it was refused. */
function outcomeOf(row: RowArray): WriteOutcome | undefined {
  if (row[1] === false) return 'not_owned';
  if (row[2] === true) return 'applied';
  switch (row[3]) {
    case FENCE_CODES.older:
      return 'older';
    case FENCE_CODES.ended:
      return 'ended';
    case FENCE_CODES.collision:
      return 'collision';
    default:
      return undefined;
  }
}

function compareKeys(a: Item<SlotKey>, b: Item<SlotKey>): number {
  return a.data.slot - b.data.slot || (a.data.id < b.data.id ? -1 : a.data.id > b.data.id ? 1 : 0);
}

function arrayOf(type: FenceColumn['type'], values: unknown[]): Buffer {
  switch (type) {
    case 'text':
      return textArray(values as (string | null)[]);
    case 'bytea':
      return byteaArray(values as (Buffer | null)[]);
    case 'int':
      return intArray(values as number[]);
    case 'bigint':
      return bigintArray(values as (number | bigint | null)[]);
  }
}
