import { hash } from 'node:crypto';
import { HyperLogLog } from './hyper-log-log.ts';

/** How many different values there were. */
export interface DistinctCount {
  readonly count: number;
  /** False: an estimate, with a standard error of 1.6 %. */
  readonly exact: boolean;
}

const EXACT_UP_TO = 256;

/**
 * Counts different values, exactly up to 256 and by HyperLogLog beyond. Keeps hashes under a salt of the run only: from
 * what lies in memory no value can be looked up in a table made beforehand.
 */
export class DistinctCounter {
  readonly #salt: string;
  #exact: Set<bigint> | undefined = new Set();
  #estimate: HyperLogLog | undefined;

  constructor(salt: string) {
    this.#salt = salt;
  }

  /** Adds a value as text. */
  add(value: string): void {
    const digest = hash('sha256', `${this.#salt}${value}`, 'buffer').readBigUInt64BE(0);
    this.#estimate?.add(digest);
    this.#exact?.add(digest);
    if (this.#exact === undefined || this.#exact.size <= EXACT_UP_TO) return;
    this.#estimate = new HyperLogLog();
    for (const each of this.#exact) this.#estimate.add(each);
    this.#exact = undefined;
  }

  get count(): DistinctCount {
    return { count: this.#exact?.size ?? this.#estimate?.estimate() ?? 0, exact: this.#exact !== undefined };
  }
}
