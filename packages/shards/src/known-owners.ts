import { SingleFlight } from '@wherry/core';
import type { ShardSet } from './shard-set.ts';
import { SLOT_COUNT } from './slot.ts';

/** The slots of one shard with their epochs, as its database had them under one stamp. */
export interface OwnedSlots {
  /** The shard's `slot_owner_stamp` in the snapshot of {@link epochs}. */
  readonly stamp: number;
  /** Epoch by slot; 0: not owned there. */
  readonly epochs: Float64Array;
}

/** Slots and epochs in one value, in bytes: thousands of rows would cost a hundred times as much. */
const LOAD = `
  SELECT s.stamp, (SELECT string_agg(int4send(o.slot) || int8send(o.epoch), ''::bytea) FROM slot_owner o) FROM slot_owner_stamp s`;
const ENTRY_BYTES = 12;

/**
 * Which slots each shard owns, by what the shard itself says.
 *
 * A statement that reads `slot_owner_stamp` and finds the stamp known here sees exactly the owners known here: any
 * change of them, however made, changes the stamp in the same transaction (`0002-owner-stamp.sql`). So a
 * reader compares one number a statement instead of joining the owner of each key.
 */
export class KnownOwners {
  readonly #shards: ShardSet;
  readonly #known: (OwnedSlots | undefined)[] = [];
  readonly #loading = new SingleFlight<number, OwnedSlots>();

  constructor(shards: ShardSet) {
    this.#shards = shards;
  }

  /** What was loaded last. */
  known(shard: number): OwnedSlots | undefined {
    return this.#known[shard];
  }

  /** Loads anew. Throws `shard_unavailable`. */
  async load(shard: number): Promise<OwnedSlots> {
    return this.#loading.run(shard, async () => {
      const [row] = await this.#shards.queryArrays(shard, { name: 'slot-owners', text: LOAD, values: [] });
      const owned = ownedSlots(row?.[0] as number, row?.[1] as Buffer | null);
      this.#known[shard] = owned;
      return owned;
    });
  }
}

function ownedSlots(stamp: number, entries: Buffer | null): OwnedSlots {
  const epochs = new Float64Array(SLOT_COUNT);
  for (let at = 0; entries !== null && at < entries.length; at += ENTRY_BYTES) {
    epochs[entries.readInt32BE(at)] = Number(entries.readBigInt64BE(at + 4));
  }
  return { stamp, epochs };
}
