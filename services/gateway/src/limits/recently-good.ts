import type { Clock } from '@wherry/core';

/** How long something counts as good, milliseconds. */
const LIFE_MS = 600_000;
/** Written anew no more often than this. */
const REST_MS = 60_000;
const MOST = 100_000;

/** Names of what has proved good lately. Only that adds to it, so nobody pushes others out who has nothing good to show. */
export class RecentlyGood {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(name: string | undefined): void {
    if (name === undefined) return;
    const until = this.#clock.monotonic() + LIFE_MS;
    if ((this.#until.get(name) ?? 0) > until - REST_MS) return;
    this.#until.delete(name);
    this.#until.set(name, until);
    const oldest = this.#until.keys().next();
    if (this.#until.size > MOST && oldest.done !== true) this.#until.delete(oldest.value);
  }

  has(name: string): boolean {
    return (this.#until.get(name) ?? 0) > this.#clock.monotonic();
  }
}
