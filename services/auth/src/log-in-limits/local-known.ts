/** Most pairs remembered; beyond it the oldest is forgotten, which is then judged like any other. */
const MOST = 100_000;

/** Pairs of account and address that have signed in at this process, for as long as the shared ones cannot be reached. */
export class LocalKnown {
  readonly #until = new Map<string, number>();

  /** Remembers `pair` until then (monotonic ms). */
  add(pair: string, until: number): void {
    this.#until.delete(pair);
    this.#until.set(pair, until);
    const oldest = this.#until.keys().next();
    if (this.#until.size > MOST && oldest.done !== true) this.#until.delete(oldest.value);
  }

  has(pair: string, now: number): boolean {
    return (this.#until.get(pair) ?? now) > now;
  }
}
