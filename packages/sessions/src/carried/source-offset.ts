import type { SourceStore } from '../source/contract.ts';

const MEASURE_EVERY_MS = 10_000;

/** How far the target's clock is ahead of a source's, measured at times. */
export class SourceOffset {
  readonly #source: SourceStore;
  readonly #now: () => number;
  #offset = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #measuring = false;

  /** `now` is the target's clock, epoch ms. */
  constructor(source: SourceStore, now: () => number) {
    this.#source = source;
    this.#now = now;
  }

  /** Target's clock less the source's, ms, as of the last measuring; an old one starts the next. */
  readonly ms = (): number => {
    if (performance.now() - this.#measuredAt > MEASURE_EVERY_MS && !this.#measuring) void this.measure().catch(() => undefined);
    return this.#offset;
  };

  /** Measures now. Throws `source_unavailable`. */
  async measure(): Promise<number> {
    this.#measuring = true;
    try {
      const sent = this.#now();
      const there = await this.#source.now();
      const answered = this.#now();
      this.#offset = Math.round((sent + answered) / 2 - there);
      this.#measuredAt = performance.now();
      return this.#offset;
    } finally {
      this.#measuring = false;
    }
  }
}
