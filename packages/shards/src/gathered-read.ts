import { integerArray } from './array-literal.ts';
import { Lane } from './lane.ts';
import type { RowArray } from './shard.ts';
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
  /**
   * Expressions over the table; the first is never null. Few wide ones are cheaper than many: most of what a row costs
   * is the number of its values.
   */
  readonly columns: readonly string[];
  /** Makes the answer for a key of its row; the columns start at `row[DECODE_OFFSET]`. undefined: not what was asked for. */
  readonly decode: (row: RowArray, key: K) => T | undefined;
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

/** The shard does not own the slot under the epoch that this process knows. */
const NOT_OWNED = Symbol('not owned');

/**
 * Point reads by key, gathered: those asked for in the same turn, or while earlier statements are under way, become one
 * statement per shard. Each key is answered under the epoch of its slot, so a process with an old map does not read an
 * old shard; what is not owned is asked for again alone, after the map was reloaded. Throws `shard_unavailable`,
 * `slot_not_owned`.
 */
export class GatheredRead<K extends SlotKey, T> {
  readonly #options: GatheredReadOptions<K, T>;
  readonly #lanes: readonly Lane<K, T | undefined | typeof NOT_OWNED>[];
  readonly #text: string;
  readonly #deadlineMs: number;

  constructor(options: GatheredReadOptions<K, T>) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 2000;
    // LATERAL with LIMIT keeps the planner at one index look-up a key: a join might become a hash over the whole table.
    this.#text = `
      SELECT CASE WHEN o.slot IS NULL THEN -k.n ELSE k.n END, t.*
      FROM unnest($1::int[], $2::bigint[], $3::bigint[]) WITH ORDINALITY k(slot, epoch, id, n)
      LEFT JOIN LATERAL (SELECT o.slot FROM slot_owner o WHERE o.slot = k.slot AND o.epoch = k.epoch LIMIT 1) o ON true
      LEFT JOIN LATERAL (SELECT ${options.columns.join(', ')} FROM ${options.table} t WHERE t.slot = o.slot AND t.id = k.id LIMIT 1) t ON true`;
    this.#lanes = options.shards.all.map(
      (_, shard) =>
        new Lane({
          run: (keys) => this.#read(shard, keys),
          maxSize: options.maxKeys ?? 200,
          maxInFlight: options.maxInFlight ?? 2,
        }),
    );
  }

  /** The row under `key`; undefined when there is none. */
  get(key: K): Promise<T | undefined> {
    const answer = this.#lanes[this.#options.map.shardOf(key.slot)]?.add(key);
    if (answer === undefined) return this.#again(key);
    return answer.then((value) => (value === NOT_OWNED ? this.#again(key) : value));
  }

  /** The rows under `keys`, in their order. */
  async getMany(keys: readonly K[]): Promise<(T | undefined)[]> {
    return Promise.all(keys.map(async (key) => this.get(key)));
  }

  async #again(key: K): Promise<T | undefined> {
    const { map, follower } = this.#options;
    const deadline = follower.deadline(this.#deadlineMs);
    for (let attempt = 0; ; attempt++) {
      await follower.follow(key.slot, map.epochOf(key.slot), attempt);
      if (map.knows(key.slot)) {
        const [value] = await this.#read(map.shardOf(key.slot), [key]);
        if (value !== NOT_OWNED) return value;
      }
      follower.check(key.slot, deadline);
    }
  }

  async #read(shard: number, keys: readonly K[]): Promise<(T | undefined | typeof NOT_OWNED)[]> {
    const { name, shards, map, decode } = this.#options;
    const count = keys.length;
    const slots: number[] = Array.from({ length: count });
    const epochs: number[] = Array.from({ length: count });
    const ids: bigint[] = Array.from({ length: count });
    for (let i = 0; i < count; i++) {
      const key = keys[i] as K;
      slots[i] = key.slot;
      epochs[i] = map.epochOf(key.slot);
      ids[i] = key.id;
    }
    const rows = await shards.queryArrays(shard, {
      name,
      text: this.#text,
      values: [integerArray(slots), integerArray(epochs), integerArray(ids)],
    });
    const answers: (T | undefined | typeof NOT_OWNED)[] = Array.from({ length: count });
    for (const row of rows) {
      const n = row[0] as number;
      if (n < 0) answers[-n - 1] = NOT_OWNED;
      else if (row[DECODE_OFFSET] !== null) answers[n - 1] = decode(row, keys[n - 1] as K);
    }
    return answers;
  }
}
