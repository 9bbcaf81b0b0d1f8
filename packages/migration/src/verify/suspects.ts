import { pause } from '@wherry/core';
import type { SessionKey } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { DifferenceClass } from './compare.ts';

/** A session that differed once, and when it is to be looked at again (monotonic ms). */
export interface Suspect {
  readonly key: SessionKey;
  readonly rawId: string;
  readonly due: number;
}

/** What became of the suspects so far. */
export interface SuspectCounts {
  readonly differences: Readonly<Partial<Record<DifferenceClass, number>>>;
  readonly repaired: number;
}

/** Sessions that differed at first sight, waiting for their grace. Bounded: when it is full, the oldest are looked at first. */
export class Suspects {
  readonly #context: MigrationContext;
  readonly #waiting = new Map<bigint, Suspect>();
  readonly #differences: Partial<Record<DifferenceClass, number>> = {};
  #repaired = 0;

  constructor(context: MigrationContext) {
    this.#context = context;
  }

  get empty(): boolean {
    return this.#waiting.size === 0;
  }

  /** For the progress line. */
  get figures(): Readonly<Record<string, number>> {
    return { suspects: this.#waiting.size, repaired: this.#repaired };
  }

  add(key: SessionKey, rawId: string): void {
    if (!this.#waiting.has(key.id)) this.#waiting.set(key.id, { key, rawId, due: performance.now() + this.#context.graceMs });
  }

  /** Looks again at those due by `until`, waiting for their time; Infinity: at all. */
  async settle(until: number, look: (suspect: Suspect) => Promise<DifferenceClass | undefined>): Promise<SuspectCounts> {
    for (const suspect of this.#waiting.values()) {
      if (suspect.due > until && this.#waiting.size < 10_000) break;
      await pause(Math.max(0, suspect.due - performance.now()), this.#context.pace.signal);
      this.#context.pace.signal.throwIfAborted();
      const found = await look(suspect);
      this.#waiting.delete(suspect.key.id);
      if (found === undefined) continue;
      this.#differences[found] = (this.#differences[found] ?? 0) + 1;
      if (found !== 'expired_in_flight') this.#repaired++;
    }
    return { differences: { ...this.#differences }, repaired: this.#repaired };
  }
}
