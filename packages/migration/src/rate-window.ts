const WINDOW_MS = 5000;

/** How many a second, over the last few seconds. */
export class RateWindow {
  readonly #samples: { readonly at: number; readonly total: number }[];
  #total = 0;

  constructor() {
    this.#samples = [{ at: performance.now(), total: 0 }];
  }

  /** Counts `count` more, now. */
  add(count: number): void {
    const at = performance.now();
    this.#total += count;
    this.#samples.push({ at, total: this.#total });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) > WINDOW_MS) this.#samples.shift();
  }

  get perSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return ((last.total - first.total) / (last.at - first.at)) * 1000;
  }
}
