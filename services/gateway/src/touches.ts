import { systemClock, type Clock } from '@wherry/core';
import { nativeTouch, type CarriedSessions, type SessionRuntime } from '@wherry/sessions';
import { slotOf } from '@wherry/shards';
import { LRUCache } from 'lru-cache';

/** Options of {@link Touches}. */
export interface TouchesOptions {
  readonly runtime: SessionRuntime;
  readonly carried: CarriedSessions | undefined;
  readonly clock?: Clock;
  /** Most sessions whose last touch is remembered; default 200000. */
  readonly size?: number;
  /** Most touches that wait; what comes when all places are taken comes again with a later request. Default 10000. */
  readonly waiting?: number;
}

/** Counts since the start. */
export interface TouchStats {
  readonly written: number;
  readonly failed: number;
  readonly dropped: number;
  readonly waiting: number;
}

const AT_ONCE = 32;
/** When nothing was found, or the store failed, and for sessions that never expire. Milliseconds. */
const AGAIN_MS = 5000;
const TIMELESS_MS = 3_600_000;
/** A session with a very short life is still not touched more often than this. Milliseconds. */
const LEAST_MS = 250;

/**
 * Keeps the sessions of users alive whose requests do not reach a session store: those with an access token, and those
 * with a session token. A session is touched when a quarter of its idle time has passed since its last touch, wherever
 * that came from, so all instances together write little. Nothing waits for it, and its memory is bounded.
 */
export class Touches {
  readonly #options: TouchesOptions;
  readonly #clock: Clock;
  readonly #limit: number;
  /** When each session is due, on the monotonic clock. */
  readonly #due: LRUCache<bigint, number>;
  readonly #queue = new Set<bigint>();
  readonly #busy = new Set<Promise<void>>();
  #written = 0;
  #failed = 0;
  #dropped = 0;

  constructor(options: TouchesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limit = options.waiting ?? 10_000;
    this.#due = new LRUCache({ max: options.size ?? 200_000 });
  }

  get stats(): TouchStats {
    return { written: this.#written, failed: this.#failed, dropped: this.#dropped, waiting: this.#queue.size + this.#busy.size };
  }

  /** Takes note that the session is in use. Never throws, never waits. */
  use(id: bigint): void {
    const now = this.#clock.monotonic();
    if (now < (this.#due.get(id) ?? 0) || this.#queue.has(id)) return;
    if (this.#queue.size >= this.#limit) {
      this.#dropped++;
      return;
    }
    // Not again while it is under way.
    this.#due.set(id, now + AGAIN_MS);
    this.#queue.add(id);
    this.#work();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    while (this.#queue.size + this.#busy.size > 0) await Promise.all(this.#busy);
  }

  #work(): void {
    for (const id of this.#queue) {
      if (this.#busy.size >= AT_ONCE) return;
      this.#queue.delete(id);
      const touch = this.#touch(id).then(
        (waitMs) => void this.#due.set(id, this.#clock.monotonic() + waitMs),
        () => void this.#failed++,
      );
      this.#busy.add(touch);
      void touch.finally(() => {
        this.#busy.delete(touch);
        this.#work();
      });
    }
  }

  /** Touches the session if a quarter of its idle time has passed; answers how long nothing is due. */
  async #touch(id: bigint): Promise<number> {
    const { runtime, carried } = this.#options;
    const slot = slotOf(id);
    const read = await runtime.target.getById(slot, id);
    if (read.state !== 'live') return AGAIN_MS;
    const { key, expireTime, lastAccessTime, sourceRef } = read.record;
    const now = runtime.now();
    const idleMs = expireTime === null ? null : expireTime - lastAccessTime;
    const quarterMs = idleMs === null ? TIMELESS_MS : Math.max(LEAST_MS, idleMs / 4);
    const sinceMs = now - lastAccessTime;
    if (sinceMs < quarterMs) return Math.max(1, quarterMs - sinceMs);
    if (sourceRef !== null && carried === undefined) return TIMELESS_MS;
    if (carried !== undefined) {
      if ((await carried.touchById(slot, id)) !== 'touched') return AGAIN_MS;
    } else if (expireTime === null || now < expireTime) {
      runtime.target.touch(key, nativeTouch(read.record, now, runtime.absoluteMs));
    }
    this.#written++;
    return quarterMs;
  }
}
