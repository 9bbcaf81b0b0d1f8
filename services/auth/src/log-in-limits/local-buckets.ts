import type { Bucket } from './bucket.ts';

/** Most buckets remembered; beyond it the oldest is forgotten, which is in the favour of whoever it was for. */
const MOST = 100_000;

/** Which bucket has to be waited for, and how long. */
export interface Refusal {
  readonly bucket: Bucket;
  readonly waitMs: number;
}

/** Buckets of this process alone, for as long as the shared ones cannot be reached: the same rule as `wherry_take_login`. */
export class LocalBuckets {
  readonly #fullAt = new Map<string, number>();

  /** Takes a token from each at `now` (monotonic ms), or none from any. */
  take(buckets: readonly Bucket[], now: number): Refusal | undefined {
    const refusals = buckets
      .map((bucket) => ({ bucket, waitMs: this.#after(bucket, now) - now - bucket.refillMs * bucket.size }))
      .filter(({ waitMs }) => waitMs > 0)
      .toSorted((a, b) => b.waitMs - a.waitMs);
    if (refusals[0] !== undefined) return refusals[0];
    for (const bucket of buckets) this.#set(bucket.key, this.#after(bucket, now));
    return undefined;
  }

  /** Gives back what was taken; `emptied` are full again. */
  giveBack(buckets: readonly Bucket[], emptied: readonly Bucket[]): void {
    for (const { key, refillMs } of buckets) {
      const fullAt = this.#fullAt.get(key);
      if (fullAt !== undefined) this.#fullAt.set(key, fullAt - refillMs);
    }
    for (const { key } of emptied) this.#fullAt.delete(key);
  }

  #after({ key, refillMs }: Bucket, now: number): number {
    return Math.max(this.#fullAt.get(key) ?? now, now) + refillMs;
  }

  #set(key: string, fullAt: number): void {
    this.#fullAt.delete(key);
    this.#fullAt.set(key, fullAt);
    const oldest = this.#fullAt.keys().next();
    if (this.#fullAt.size > MOST && oldest.done !== true) this.#fullAt.delete(oldest.value);
  }
}
