/** One of the keys that were seen most. */
export interface HeavyHitter<K> {
  readonly key: K;
  /** Never less than how often it was seen. */
  readonly count: number;
  /** By how much `count` may be too high. */
  readonly error: number;
}

interface Counter<K> {
  readonly key: K;
  error: number;
  bucket: Bucket<K>;
}

/** All counters of one count, the one that came to it first in front. */
interface Bucket<K> {
  count: number;
  readonly counters: Set<Counter<K>>;
  less: Bucket<K> | undefined;
  more: Bucket<K> | undefined;
}

/**
 * The keys that come most often in a stream, in memory of a fixed size: Space-Saving over a Stream-Summary (Metwally,
 * Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005). A key that is more than
 * one `size`-th of all that was seen is among them for certain. One call costs the same however much was seen.
 */
export class HeavyHitters<K> {
  readonly #size: number;
  readonly #counters = new Map<K, Counter<K>>();
  #least: Bucket<K> | undefined;
  #most: Bucket<K> | undefined;

  /** `size`: how many keys are counted at a time. */
  constructor(size: number) {
    this.#size = size;
  }

  /** Counts a key once more. */
  add(key: K): void {
    const known = this.#counters.get(key);
    if (known !== undefined) {
      this.#raise(known);
      return;
    }
    // It may have been seen before and forgotten: as often as the least of those that are counted, at the most.
    const error = this.#counters.size < this.#size ? 0 : this.#dropLeast();
    const counter = { key, error } as Counter<K>;
    this.#counters.set(key, counter);
    this.#place(counter, error + 1, error === 0 ? undefined : this.#below(error + 1));
  }

  /** The `n` with the highest counts, those first. */
  top(n: number): readonly HeavyHitter<K>[] {
    const found: HeavyHitter<K>[] = [];
    for (let bucket = this.#most; bucket !== undefined && found.length < n; bucket = bucket.less) {
      for (const { key, error } of bucket.counters) {
        if (found.length >= n) break;
        found.push({ key, count: bucket.count, error });
      }
    }
    return found;
  }

  /** Forgets all: what is hot now is not what was hot yesterday. */
  clear(): void {
    this.#counters.clear();
    this.#least = undefined;
    this.#most = undefined;
  }

  #raise(counter: Counter<K>): void {
    const { bucket } = counter;
    bucket.counters.delete(counter);
    this.#place(counter, bucket.count + 1, bucket);
    if (bucket.counters.size === 0) this.#unlink(bucket);
  }

  /** Puts a counter into the bucket of `count`, which stands behind `below`, or first. */
  #place(counter: Counter<K>, count: number, below: Bucket<K> | undefined): void {
    const next = below === undefined ? this.#least : below.more;
    const bucket = next?.count === count ? next : this.#insert(count, below, next);
    bucket.counters.add(counter);
    counter.bucket = bucket;
  }

  #insert(count: number, less: Bucket<K> | undefined, more: Bucket<K> | undefined): Bucket<K> {
    const bucket: Bucket<K> = { count, counters: new Set(), less, more };
    if (less === undefined) this.#least = bucket;
    else less.more = bucket;
    if (more === undefined) this.#most = bucket;
    else more.less = bucket;
    return bucket;
  }

  #unlink({ less, more }: Bucket<K>): void {
    if (less === undefined) this.#least = more;
    else less.more = more;
    if (more === undefined) this.#most = less;
    else more.less = less;
  }

  /** The last bucket with a count below `count`: right at the beginning, since the least one was just taken from there. */
  #below(count: number): Bucket<K> | undefined {
    let found: Bucket<K> | undefined;
    for (let bucket = this.#least; bucket !== undefined && bucket.count < count; bucket = bucket.more) found = bucket;
    return found;
  }

  /** Drops the key that came to the least count first; answers that count. */
  #dropLeast(): number {
    const bucket = this.#least;
    if (bucket === undefined) return 0;
    for (const counter of bucket.counters) {
      bucket.counters.delete(counter);
      this.#counters.delete(counter.key);
      break;
    }
    if (bucket.counters.size === 0) this.#unlink(bucket);
    return bucket.count;
  }
}
