import { SingleFlight, WherryError, backoffDelay, pause, systemClock, type Clock } from '@wherry/core';
import { KnownOwners } from './known-owners.ts';
import type { ShardSet } from './shard-set.ts';
import type { SlotMap } from './slot-map.ts';
import { applyOwners } from './slot-owners.ts';

/** Options of {@link SlotFollower}. */
export interface SlotFollowerOptions {
  readonly map: SlotMap;
  readonly shards: ShardSet;
  readonly clock?: Clock;
}

/**
 * What to do when a shard says that a slot is not owned under the epoch that was used. Either this process is behind:
 * then it asks control. Or the shard is: whoever changed the slot has committed that in control and not yet told the
 * shard, or was killed in between. Then this process carries the entry over; the shard takes it only over an older one.
 */
export class SlotFollower {
  /** What the shards say that they own, for all readers of this process. */
  readonly owners: KnownOwners;
  readonly #map: SlotMap;
  readonly #shards: ShardSet;
  readonly #clock: Clock;
  readonly #carrying = new SingleFlight<number, void>();

  constructor(options: SlotFollowerOptions) {
    this.#map = options.map;
    this.#shards = options.shards;
    this.owners = new KnownOwners(options.shards);
    this.#clock = options.clock ?? systemClock;
  }

  /** Brings map and shard in line for `slot`, after it was refused under `epoch`, and waits a little from the second time on. Faults are left to the next try. */
  async follow(slot: number, epoch: number, attempt: number): Promise<void> {
    if (attempt > 0) await pause(backoffDelay(attempt, { baseMs: 2, maxMs: 50 }));
    // A newer epoch came with the feed already.
    if (this.#map.epochOf(slot) > epoch) return;
    await this.#map.refresh().catch(() => undefined);
    if (!this.#map.knows(slot) || this.#map.epochOf(slot) > epoch) return;
    await this.#carrying.run(slot, () => this.#carry(slot)).catch(() => undefined);
  }

  /** A moment on the monotonic clock, `ms` from now. */
  deadline(ms: number): number {
    return this.#clock.monotonic() + ms;
  }

  /** Throws `slot_not_owned` when `deadline` has passed. */
  check(slot: number, deadline: number): void {
    if (this.#clock.monotonic() < deadline) return;
    throw new WherryError('slot_not_owned', 'the shard does not own the slot under the epoch that is known', { data: { slot } });
  }

  async #carry(slot: number): Promise<void> {
    const entry = this.#map.entry(slot);
    // A closing reaches the shard by its closer only, when all have acknowledged it.
    if (entry.state === 'open') await applyOwners(this.#shards.shard(entry.shard).database, [entry]);
  }
}
