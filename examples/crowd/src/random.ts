/**
 * A seeded source of choices: the same seed makes the same choices on every machine. Not for secrets.
 * The generator is splitmix32 over a counter.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** A waiting time with this mean, as between the acts of people who do not know of each other (exponential, at most 8 means). */
  wait(mean: number): number {
    return Math.min(-Math.log(1 - this.next()) * mean, 8 * mean);
  }

  /** One of the entries, each with the probability of its weight. */
  weighted<T>(entries: readonly (readonly [T, number])[]): T {
    let rest = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [value, weight] of entries) {
      rest -= weight;
      if (rest < 0) return value;
    }
    const last = entries.at(-1);
    if (last === undefined) throw new RangeError('nothing to choose from');
    return last[0];
  }

  /** A source of its own for part `n`, which does not depend on what was drawn here. */
  static part(seed: number, n: number): Random {
    return new Random(Math.imul(seed ^ 0x5bd1e995, 0x27d4eb2f) + Math.imul(n + 1, 0x165667b1));
  }
}
