import { WherryError, systemClock, type Clock } from '@wherry/core';
import type { RateWindow } from './rate-windows.ts';

/** Options of {@link RateLimiter}. */
export interface RateLimiterOptions {
  /** All of them bound each key. At least one. */
  readonly windows: readonly RateWindow[];
  /** Most keys remembered; default 100000. */
  readonly capacity?: number;
  readonly clock?: Clock;
}

/** What is left of one window for a key. */
export interface RateState {
  readonly window: RateWindow;
  /** How much may be taken now. */
  readonly remaining: number;
  /** Seconds until all of it may be taken again; 0: now. */
  readonly resetSeconds: number;
}

interface Bucket {
  readonly key: string;
  /** Its place among all. */
  at: number;
  /** For each window when it will be full again, monotonic milliseconds. */
  readonly fullAt: number[];
}

interface Window extends RateWindow {
  readonly widthMs: number;
  /** Until one more may be taken. */
  readonly spacingMs: number;
}

/** Part of a unit that may be owed: sums of fractions of milliseconds are not exact. */
const ROUNDING = 0.01;
/** How many are looked at for one that has to go. */
const SAMPLE = 16;
/** How many are looked at with each new one, to drop what is full again. */
const SWEPT = 2;

/**
 * Bounds how much is taken under each key: token buckets, each kept as the one moment at which it will be full again
 * (generic cell rate algorithm, ITU-T I.371). A bucket that is full has no entry.
 *
 * The memory is bounded, and somebody who makes up keys decides what comes in. So what goes for a new key is not the
 * oldest: of some that are picked by chance it is the one that has the most left. A bucket that was used up stays while
 * any of these has more left, so making up keys does not refill it unless each of them was used up as far; whoever is
 * forgotten starts with a full bucket, and a new key always has its own, so nobody is refused for what others took.
 */
export class RateLimiter {
  readonly #windows: readonly Window[];
  readonly #capacity: number;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  /** The same, so that one can be picked by chance. */
  readonly #all: Bucket[] = [];

  /** Errors: `config_invalid` without a window, and for quotas and times that are not positive. */
  constructor(options: RateLimiterOptions) {
    const { windows, capacity = 100_000, clock = systemClock } = options;
    const bad = windows.some(({ quota, seconds }) => !(quota >= 1 && Number.isFinite(quota) && seconds > 0 && Number.isFinite(seconds)));
    if (windows.length === 0 || bad || !(capacity >= 1)) {
      throw new WherryError('config_invalid', 'a rate limit needs windows, each with a quota and seconds above 0, and room for one key');
    }
    this.#windows = windows.map(({ quota, seconds }) => ({ quota, seconds, widthMs: seconds * 1000, spacingMs: (seconds * 1000) / quota }));
    this.#capacity = capacity;
    this.#clock = clock;
  }

  /** Keys remembered. */
  get size(): number {
    return this.#all.length;
  }

  /**
   * Takes `cost` from every window of the key, or nothing. Answers 0, or after how many milliseconds it may be tried
   * again. A cost above a quota counts as all of the quota. `now`: monotonic milliseconds, for who asks several limiters
   * and reads the clock once.
   */
  take(key: string, cost = 1, now: number = this.#clock.monotonic()): number {
    const bucket = this.#buckets.get(key);
    const waitMs = this.#waitOf(bucket, cost, now);
    if (waitMs > 0) return waitMs;
    this.#add(bucket ?? this.#insert(key, now), cost, now);
    return 0;
  }

  /** What {@link take} would answer; takes nothing. */
  wait(key: string, cost = 1): number {
    return this.#waitOf(this.#buckets.get(key), cost, this.#clock.monotonic());
  }

  /** Takes `cost`, there or not: what has been spent is known only afterwards. A bucket is never emptier than empty. */
  charge(key: string, cost: number): void {
    const now = this.#clock.monotonic();
    const { fullAt } = this.#buckets.get(key) ?? this.#insert(key, now);
    for (let i = 0; i < this.#windows.length; i++) {
      const { widthMs, spacingMs } = this.#windows[i] as Window;
      const already = Math.max(fullAt[i] as number, now);
      fullAt[i] = Math.max(already, Math.min(already + cost * spacingMs, now + widthMs));
    }
  }

  /** Gives back what was taken and not spent. */
  refund(key: string, cost: number): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    for (let i = 0; i < this.#windows.length; i++) {
      const { quota, spacingMs } = this.#windows[i] as Window;
      bucket.fullAt[i] = (bucket.fullAt[i] as number) - Math.min(cost, quota) * spacingMs;
    }
  }

  /** What is left under a key, one entry a window. */
  state(key: string): readonly RateState[] {
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(key);
    return this.#windows.map(({ quota, seconds, widthMs, spacingMs }, i) => {
      const owedMs = Math.max((bucket?.fullAt[i] ?? now) - now, 0);
      // As generous as `take` is.
      const remaining = Math.min(quota, Math.max(0, Math.floor((widthMs - owedMs) / spacingMs + ROUNDING)));
      return { window: { quota, seconds }, remaining, resetSeconds: Math.ceil(owedMs / 1000) };
    });
  }

  #waitOf(bucket: Bucket | undefined, cost: number, now: number): number {
    if (bucket === undefined) return 0;
    let longest = 0;
    for (let i = 0; i < this.#windows.length; i++) {
      const { quota, widthMs, spacingMs } = this.#windows[i] as Window;
      const owedMs = Math.max((bucket.fullAt[i] as number) - now, 0) + Math.min(cost, quota) * spacingMs;
      if (owedMs - widthMs > spacingMs * ROUNDING) longest = Math.max(longest, owedMs - widthMs);
    }
    return longest;
  }

  #add({ fullAt }: Bucket, cost: number, now: number): void {
    for (let i = 0; i < this.#windows.length; i++) {
      const { quota, spacingMs } = this.#windows[i] as Window;
      fullAt[i] = Math.max(fullAt[i] as number, now) + Math.min(cost, quota) * spacingMs;
    }
  }

  #insert(key: string, now: number): Bucket {
    // Below that it costs nothing to keep those that come back, and most do.
    for (let n = 0; n < SWEPT && this.#all.length > this.#capacity / 2; n++) {
      const one = this.#pick();
      if (this.#owed(one, now) === 0) this.#forget(one);
    }
    if (this.#all.length >= this.#capacity) this.#forgetOne(now);
    const bucket = { key, at: this.#all.length, fullAt: this.#windows.map(() => now) };
    this.#buckets.set(key, bucket);
    this.#all.push(bucket);
    return bucket;
  }

  #forgetOne(now: number): void {
    let fullest = this.#pick();
    for (let n = 1; n < SAMPLE; n++) {
      const other = this.#pick();
      if (this.#owed(other, now) < this.#owed(fullest, now)) fullest = other;
    }
    this.#forget(fullest);
  }

  #pick(): Bucket {
    return this.#all[Math.floor(Math.random() * this.#all.length)] as Bucket;
  }

  #forget({ key, at }: Bucket): void {
    this.#buckets.delete(key);
    const last = this.#all.pop() as Bucket;
    if (last.key === key) return;
    last.at = at;
    this.#all[at] = last;
  }

  /** How far it is from full: 0 to 1, by the window that has the least left. */
  #owed({ fullAt }: Bucket, now: number): number {
    let most = 0;
    for (let i = 0; i < this.#windows.length; i++) {
      most = Math.max(most, ((fullAt[i] as number) - now) / (this.#windows[i] as Window).widthMs);
    }
    return most;
  }
}
