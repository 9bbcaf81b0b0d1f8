/** What {@link ProofMemory.take} finds. */
export type ProofUse = 'first' | 'repeated' | 'forgotten';

/** Options of {@link ProofMemory}. */
export interface ProofMemoryOptions {
  /** Most proofs remembered; default 200000. Each takes about 100 bytes. */
  readonly capacity?: number;
}

/**
 * The proofs that were used, by the second in which they say that they were made. Bounded, and safe at its bound: what
 * is forgotten, because it is too old or because there is no room, takes everything as old with it, so a proof that was
 * used once is never taken for new. Under a flood the time in which a proof can be used grows shorter, no more. The
 * same holds when the clock goes back: what was forgotten stays refused.
 */
export class ProofMemory {
  readonly #capacity: number;
  readonly #bySecond = new Map<number, Set<string>>();
  #size = 0;
  /** No proof of this second or an earlier one is taken for new. */
  #forgottenUpTo = Number.NEGATIVE_INFINITY;
  #keptFrom = Number.NEGATIVE_INFINITY;

  constructor({ capacity = 200_000 }: ProofMemoryOptions = {}) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Notes the use of the proof `id`, made in second `madeAt`. `keepFrom` is the earliest second that is accepted at
   * all now: what is older need not be remembered.
   */
  take(id: string, madeAt: number, keepFrom: number): ProofUse {
    if (keepFrom !== this.#keptFrom) {
      this.#keptFrom = keepFrom;
      for (const second of this.#bySecond.keys()) if (second < keepFrom) this.#forget(second);
    }
    if (madeAt <= this.#forgottenUpTo) return 'forgotten';
    if (this.#bySecond.get(madeAt)?.has(id) === true) return 'repeated';
    while (this.#size >= this.#capacity) {
      this.#forget(Math.min(madeAt, ...this.#bySecond.keys()));
      if (madeAt <= this.#forgottenUpTo) return 'forgotten';
    }
    const ids = this.#bySecond.get(madeAt) ?? new Set<string>();
    this.#bySecond.set(madeAt, ids.add(id));
    this.#size++;
    return 'first';
  }

  #forget(second: number): void {
    this.#size -= this.#bySecond.get(second)?.size ?? 0;
    this.#bySecond.delete(second);
    this.#forgottenUpTo = Math.max(this.#forgottenUpTo, second);
  }
}
