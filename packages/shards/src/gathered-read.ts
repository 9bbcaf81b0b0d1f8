import { MicroBatcher } from '@wherry/core';
import { bigintArray, intArray } from './array-parameter.ts';
import { KnownOwners, type OwnedSlots } from './known-owners.ts';
import { WORTH_A_STATEMENT, type RowArray } from './shard.ts';
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
  /** A table with the primary key (slot, id). */
  readonly table: string;
  /** Expressions over the table. Few wide ones are cheaper than many: most of what a row costs is the number of its values. */
  readonly columns: readonly string[];
  /** Makes the answer for a key of its row; the columns start at `row[DECODE_OFFSET]`. */
  readonly decode: (row: RowArray, key: K) => T;
  /** The answer for a key without a row. */
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

/** Index of the first column of the table in the rows that `decode` is given. */
export const DECODE_OFFSET = 1;

/** How often a statement is repeated at once because the owners changed under it; then each key waits for itself. */
const STAMP_TRIES = 4;

/**
 * Looks rows up by primary key: calls made together become one statement per shard, and 64 callers in flight are served
 * by a few.
 *
 * A row counts only where the shard owns its slot under the epoch known here (else it may be a leftover of a move, or
 * the map here is old): the statement answers rows and stamp of one snapshot, and where the stamp is that under which the
 * shard's owners are known here, each slot is judged by them. A key whose slot is not owned so is asked for again alone,
 * after the map was reloaded. Throws `shard_unavailable`, `slot_not_owned`.
 */
export class GatheredRead<K extends SlotKey, T> {
  readonly #options: GatheredReadOptions<K, T>;
  readonly #lanes: readonly MicroBatcher<K, T>[];
  readonly #owners: KnownOwners;
  readonly #text: string;
  readonly #deadlineMs: number;

  constructor(options: GatheredReadOptions<K, T>) {
    this.#options = options;
    this.#owners = new KnownOwners(options.shards);
    this.#deadlineMs = options.deadlineMs ?? 2000;
    // The stamp comes whatever is found. LATERAL with LIMIT keeps the planner at one index look-up a key: a join
    // might become a hash over the whole table.
    this.#text = `
      SELECT -s.stamp${', NULL'.repeat(options.columns.length)} FROM slot_owner_stamp s
      UNION ALL
      SELECT k.n, t.* FROM unnest($1::int[], $2::bigint[]) WITH ORDINALITY k(slot, id, n)
      JOIN LATERAL (SELECT ${options.columns.join(', ')} FROM ${options.table} t WHERE t.slot = k.slot AND t.id = k.id LIMIT 1) t ON true`;
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
        const { owned, answers } = await this.#find(shard, [key]);
        if (this.#isOwned(shard, key.slot, owned)) return answers[0] as T;
      }
      follower.check(key.slot, deadline);
    }
  }

  async #read(shard: number, keys: readonly K[]): Promise<(T | Promise<T>)[]> {
    const { owned, answers } = await this.#find(shard, keys);
    const owners: (T | Promise<T>)[] = answers;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as K;
      if (!this.#isOwned(shard, key.slot, owned)) owners[i] = this.#again(key);
    }
    return owners;
  }

  /** undefined: the owners changed again and again, so nothing is known of any slot. */
  #isOwned(shard: number, slot: number, owned: OwnedSlots | undefined): boolean {
    const { map } = this.#options;
    return owned !== undefined && map.knows(slot) && map.shardOf(slot) === shard && owned.epochs[slot] === map.epochOf(slot);
  }

  /** The rows as the shard has them, and its owners in the same snapshot. */
  async #find(shard: number, keys: readonly K[]): Promise<{ readonly owned: OwnedSlots | undefined; readonly answers: T[] }> {
    const { name, shards, decode, absent } = this.#options;
    const slots = keys.map(({ slot }) => slot);
    const ids = keys.map(({ id }) => id);
    const answers: T[] = keys.map(() => absent);
    const values = [intArray(slots), bigintArray(ids)];
    for (let attempt = 1; ; attempt++) {
      const owned = (attempt === 1 ? this.#owners.known(shard) : undefined) ?? (await this.#owners.load(shard));
      const rows = await shards.queryArrays(shard, { name, text: this.#text, values });
      let stamp = 0;
      for (const row of rows) {
        const n = row[0] as number;
        if (n < 0) stamp = -n;
        else answers[n - 1] = decode(row, keys[n - 1] as K);
      }
      if (stamp === owned.stamp) return { owned, answers };
      // What was found is left: it counts for no slot, and the next try answers for all keys that have a row then.
      answers.fill(absent);
      if (attempt === STAMP_TRIES) return { owned: undefined, answers };
    }
  }
}
