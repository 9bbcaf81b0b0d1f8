import { silentLogger, type Logger } from '@wherry/core';
import type { FencedWrite, SlotMap, SlotPassage, WriteOutcome } from '@wherry/shards';
import type { SessionKey } from '../record.ts';
import { touchItem, type TouchItem } from './batch-items.ts';
import type { SessionTouch } from './stored-session.ts';

/** Options of {@link TouchBuffer}. */
export interface TouchBufferOptions {
  readonly map: SlotMap;
  readonly write: FencedWrite<TouchItem>;
  /** Longest wait before a touch is written, ms. */
  readonly everyMs: number;
  /** Touches that wait at most before they are written early. */
  readonly threshold: number;
  readonly log?: Logger;
}

interface Pending {
  readonly key: SessionKey;
  touch: SessionTouch;
  /** Held while the touch waits: it counts as a write in flight. undefined when the slot was closing. */
  readonly passage: SlotPassage | undefined;
}

/** Touches kept at most while their shard is away; above it the oldest are given up: sessions then end a little earlier. */
const MOST = 200_000;

/**
 * Touches of this process on their way to the shards: one per session, written behind.
 *
 * A waiting touch holds the right to write to its slot. So a process cannot acknowledge that a slot is closing while it
 * still owes that slot a touch, and the news that it is closing makes it write what it owes at once.
 */
export class TouchBuffer {
  readonly #options: TouchBufferOptions;
  readonly #log: Logger;
  readonly #pending = new Map<bigint, Pending>();
  readonly #writing = new Set<Promise<unknown>>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  /** Touches given up since the start. */
  lost = 0;

  constructor(options: TouchBufferOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#unsubscribe = options.map.onChange((slots) => void this.flushSlots(slots));
  }

  /** How many sessions wait for their touch to be written. */
  get size(): number {
    return this.#pending.size;
  }

  /** Takes note of a touch; of several for one session the newest counts. */
  add(key: SessionKey, touch: SessionTouch): void {
    const known = this.#pending.get(key.id);
    if (known !== undefined) {
      if (touch.touchVersion > known.touch.touchVersion) known.touch = touch;
      return;
    }
    this.#pending.set(key.id, { key, touch, passage: this.#options.map.tryEnter(key.slot) });
    if (this.#pending.size >= this.#options.threshold && !this.#failing) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), this.#options.everyMs).unref();
  }

  /** Writes what waits. Resolves when everything taken so far is written, or waits again because its shard is away. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const taken = [...this.#pending.values()];
    this.#pending.clear();
    this.#start(taken);
    await Promise.all(this.#writing);
  }

  /** Writes what waits for these slots, and resolves as {@link flush}. */
  async flushSlots(slots: Iterable<number>): Promise<void> {
    if (this.#pending.size > 0) {
      const wanted = new Set(slots);
      const taken = [...this.#pending.values()].filter(({ key }) => wanted.has(key.slot));
      for (const { key } of taken) this.#pending.delete(key.id);
      this.#start(taken);
    }
    await Promise.all(this.#writing);
  }

  /** Writes what waits and takes no more news of the slots. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await this.flush();
    clearTimeout(this.#timer);
    for (const { passage } of this.#pending.values()) passage?.leave();
  }

  #start(taken: readonly Pending[]): void {
    if (taken.length === 0) return;
    const work = Promise.all(taken.map(async (pending) => this.#write(pending))).finally(() => this.#writing.delete(work));
    this.#writing.add(work);
  }

  async #write({ key, touch, passage }: Pending): Promise<void> {
    try {
      await this.#send(key, touch, passage);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn('touches could not be written; they wait', { error });
      this.#failing = true;
      // Without a passage: a shard that is away must not keep slots from closing. The touch itself may wait, it only
      // counts where it is newer.
      passage?.leave();
      this.#keep(key, touch);
    } finally {
      passage?.leave();
    }
  }

  /** A touch is true whichever side is primary, so it may be repeated under a newer epoch. */
  async #send(key: SessionKey, touch: SessionTouch, passage: SlotPassage | undefined): Promise<WriteOutcome> {
    const item = touchItem(key, touch);
    if (passage !== undefined) {
      const { outcome } = await this.#options.write.underEpoch(item, passage.epoch);
      if (outcome !== 'not_owned') return outcome;
      passage.leave();
    }
    const { outcome } = await this.#options.write.underCurrent(item);
    return outcome;
  }

  #keep(key: SessionKey, touch: SessionTouch): void {
    if (this.#pending.has(key.id)) return;
    if (this.#pending.size >= MOST) {
      this.lost++;
      return;
    }
    this.#pending.set(key.id, { key, touch, passage: undefined });
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.everyMs).unref();
  }
}
