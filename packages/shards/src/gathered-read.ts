import { MicroBatcher } from '@wherry/core';
import { bigintArray, intArray } from './array-parameter.ts';
import { columnsFor, type ByDialect } from './dialect.ts';
import { batchDocument, documentTable } from './mysql/batch-document.ts';
import { KEY_COLUMNS } from './mysql/fenced-packet.ts';
import type { BinaryRow } from './rows/binary-row.ts';
import { WORTH_A_STATEMENT, type RowStatement } from './shard.ts';
import type { ShardSet } from './shard-set.ts';
import type { SlotFollower } from './slot-follower.ts';
import type { SlotMap } from './slot-map.ts';

/** A primary key with its slot. */
export interface SlotKey {
  readonly slot: number;
  readonly id: bigint;
}

/** Options of {@link GatheredRead}. `table` and `columns` are SQL of the program's own, never input. */
export interface GatheredReadOptions<K extends SlotKey, T> {
  /** Name of the prepared statement. */
  readonly name: string;
  /** A table with the primary key (slot, id), or a view that is as good. */
  readonly table: string;
  /** For MySQL and MariaDB: a table with several rows under a key, the column that the keys' ids are of, and the index of slot and it. */
  readonly mysqlBy?: { readonly table: string; readonly column: string; readonly index: string };
  /** Expressions over the table `t`. Few wide ones are cheaper than many: most of what a row costs is the number of its values. */
  readonly columns: readonly string[] | ByDialect<readonly string[]>;
  /** Makes the answer for a key of its row, which it reads column by column, and of what it made of the row before, if there was one. */
  readonly decode: (row: BinaryRow, key: K, before: T) => T;
  /** The answer for a key without a row, and what comes before its first one. */
  readonly absent: T;
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly follower: SlotFollower;
  /** Most keys in one statement; default 200. */
  readonly maxKeys?: number;
  /** Most statements under way per shard; default 2. */
  readonly maxInFlight?: number;
  /** Longest wait for a slot that is being moved, ms; default 2000. */
  readonly deadlineMs?: number;
}

/** Epoch by slot; 0 or nothing: not owned. */
type Epochs = Readonly<Record<number, number>>;

/** What a statement says: an answer for each key or the fault of its row, and beside them marks, as negative numbers. */
interface Said<T> {
  readonly marks: number[];
  readonly answers: (T | Promise<T>)[];
}

/** What a statement found: the epochs of the shard's slots, and an answer for each key or the fault of its row. */
interface Found<T> {
  readonly epochs: Epochs;
  readonly answers: (T | Promise<T>)[];
}

/** How often a statement is sent to be judged by the owners known here; if they changed each time, the next one brings their epochs itself. */
const STAMP_TRIES = 2;

/**
 * Looks rows up by primary key: calls made together become one statement per shard, and 64 callers in flight are served
 * by a few.
 *
 * A row counts only where the shard owns its slot under the epoch known here (else it may be a leftover of a move, or
 * the map here is old): the statement answers rows and stamp of one snapshot, and where the stamp is that under which the
 * shard's owners are known here, each slot is judged by them. Where they change faster than they can be loaded, the
 * statement joins them, which costs more and always answers. A key whose slot is not owned so is asked for again alone,
 * after the map was reloaded. On MySQL and MariaDB, where a stamp would take triggers that not everybody may create, every
 * statement joins the owners. Throws `shard_unavailable`, `slot_not_owned`.
 */
export class GatheredRead<K extends SlotKey, T> {
  readonly #options: GatheredReadOptions<K, T>;
  readonly #lanes: readonly MicroBatcher<K, T>[];
  readonly #text: string;
  readonly #joined: string;
  readonly #mysql: string;
  readonly #deadlineMs: number;

  constructor(options: GatheredReadOptions<K, T>) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 2000;
    // The stamp comes whatever is found. LATERAL with LIMIT keeps the planner at one index look-up a key: a join
    // might become a hash over the whole table.
    const columns = columnsFor(options.columns, 'postgres');
    const nulls = ', NULL'.repeat(columns.length);
    const keys = 'unnest($1::int[], $2::bigint[]) WITH ORDINALITY k(slot, id, n)';
    const rows = `
      SELECT k.n, t.* FROM ${keys}
      JOIN LATERAL (SELECT ${columns.join(', ')} FROM ${options.table} t WHERE t.slot = k.slot AND t.id = k.id LIMIT 1) t ON true`;
    this.#text = `SELECT -s.stamp${nulls} FROM slot_owner_stamp s UNION ALL ${rows}`;
    this.#joined = `
      SELECT -k.n${nulls} FROM unnest($1::int[], $3::bigint[]) WITH ORDINALITY k(slot, epoch, n)
      JOIN LATERAL (SELECT FROM slot_owner o WHERE o.slot = k.slot AND o.epoch = k.epoch LIMIT 1) o ON true
      UNION ALL ${rows}`;
    // One look-up by primary key for the owner and one for the row, whatever the optimizer thinks of the sizes.
    const { table, column, index } = options.mysqlBy ?? { table: options.table, column: 'id', index: 'PRIMARY' };
    this.#mysql = `
      SELECT STRAIGHT_JOIN IF(t.id IS NULL, -k.n, k.n), ${columnsFor(options.columns, 'mysql').join(', ')} FROM ${documentTable('$1', KEY_COLUMNS, 'k')}
      JOIN slot_owner o ON o.slot = k.slot AND o.epoch = k.epoch LEFT JOIN ${table} t FORCE INDEX (${index}) ON t.slot = k.slot AND t.${column} = k.id`;
    this.#lanes = options.shards.all.map(
      (_, shard) =>
        new MicroBatcher({
          run: (keys) => this.#read(shard, keys),
          maxSize: options.maxKeys ?? 200,
          maxInFlight: options.maxInFlight ?? 2,
          worthOneMore: WORTH_A_STATEMENT,
        }),
    );
  }

  /** What lies under `key`. */
  get(key: K): Promise<T> {
    return this.#lanes[this.#options.map.shardOf(key.slot)]?.add(key) ?? this.#again(key);
  }

  /** What lies under `keys`, in their order. */
  async getMany(keys: readonly K[]): Promise<T[]> {
    return Promise.all(keys.map(async (key) => this.get(key)));
  }

  async #again(key: K): Promise<T> {
    const { map, follower } = this.#options;
    const deadline = follower.deadline(this.#deadlineMs);
    for (let attempt = 0; ; attempt++) {
      await follower.follow(key.slot, map.epochOf(key.slot), attempt);
      if (map.knows(key.slot)) {
        const shard = map.shardOf(key.slot);
        const { epochs, answers } = await this.#find(shard, [key]);
        if (this.#isOwned(shard, key.slot, epochs)) return answers[0] as T | Promise<T>;
      }
      follower.check(key.slot, deadline);
    }
  }

  async #read(shard: number, keys: readonly K[]): Promise<(T | Promise<T>)[]> {
    const { epochs, answers } = await this.#find(shard, keys);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as K;
      if (!this.#isOwned(shard, key.slot, epochs)) answers[i] = this.#again(key);
    }
    return answers;
  }

  #isOwned(shard: number, slot: number, epochs: Epochs): boolean {
    const { map } = this.#options;
    return map.knows(slot) && map.shardOf(slot) === shard && epochs[slot] === map.epochOf(slot);
  }

  /** The rows as the shard has them, and its owners in the same snapshot, of the slots of `keys` at least. */
  async #find(shard: number, keys: readonly K[]): Promise<Found<T>> {
    if (this.#options.shards.shard(shard).dialect === 'mysql') return this.#findMysql(shard, keys);
    const {
      name,
      follower: { owners },
    } = this.#options;
    const slots = keys.map(({ slot }) => slot);
    const values = [intArray(slots), bigintArray(keys.map(({ id }) => id))];
    for (let attempt = 1; attempt <= STAMP_TRIES; attempt++) {
      const owned = (attempt === 1 ? owners.known(shard) : undefined) ?? (await owners.load(shard));
      const { marks, answers } = await this.#ask(shard, keys, { name, text: this.#text, values });
      if (marks[0] === owned.stamp) return { epochs: owned.epochs, answers };
    }
    return this.#findJoined(shard, keys, slots, values);
  }

  /** The same in a statement that looks up the owner of each key. */
  async #findJoined(shard: number, keys: readonly K[], slots: readonly number[], values: RowStatement['values']): Promise<Found<T>> {
    const { name, map } = this.#options;
    const asked = slots.map((slot) => map.epochOf(slot));
    const { marks, answers } = await this.#ask(shard, keys, {
      name: `${name}-joined`,
      text: this.#joined,
      values: [...values, bigintArray(asked)],
    });
    const epochs: Record<number, number> = {};
    for (const n of marks) epochs[slots[n - 1] as number] = asked[n - 1] as number;
    return { epochs, answers };
  }

  /** Each key whose slot is owned comes with its row, or with each of them, or, as a negative number, without one. */
  async #findMysql(shard: number, keys: readonly K[]): Promise<Found<T>> {
    const { name, map } = this.#options;
    const asked = keys.map(({ slot }) => map.epochOf(slot));
    const document = batchDocument(
      KEY_COLUMNS,
      keys.map(({ slot, id }, at) => [slot, asked[at], id]),
    );
    const { marks, answers } = await this.#ask(shard, keys, { name, text: this.#mysql, values: [document] }, true);
    const epochs: Record<number, number> = {};
    for (const n of marks) epochs[(keys[n - 1] as K).slot] = asked[n - 1] as number;
    return { epochs, answers };
  }

  /** What a statement says of `keys`. A row is a mark as well where `rowsMark`. */
  async #ask(shard: number, keys: readonly K[], statement: RowStatement, rowsMark = false): Promise<Said<T>> {
    const { absent, shards } = this.#options;
    let said: Said<T> = { marks: [], answers: [] };
    await shards.readRows(shard, statement, () => {
      const { marks, answers }: Said<T> = (said = { marks: [], answers: keys.map(() => absent) });
      return (row) => {
        const n = row.number();
        if (n < 0 || rowsMark) marks.push(Math.abs(n));
        if (n > 0) answers[n - 1] = this.#decoded(row, keys[n - 1] as K, answers[n - 1] as T | Promise<T>);
      };
    });
    return said;
  }

  /** A row that cannot be read fails alone. */
  #decoded(row: BinaryRow, key: K, before: T | Promise<T>): T | Promise<T> {
    if (before instanceof Promise) return before;
    try {
      return this.#options.decode(row, key, before);
    } catch (error) {
      const failed = Promise.reject<T>(error);
      // It may be left unread, where the statement is repeated.
      failed.catch(() => undefined);
      return failed;
    }
  }
}
