import { pause } from '@wherry/core';

/** What is needed of fast-check's scheduler. */
export interface Scheduler {
  schedule<T>(task: Promise<T>, label?: string): Promise<T>;
  count(): number;
  waitNext(count: number): Promise<void>;
}

/** How long nobody must have come to a yield point before one of those who wait is let go: real statements take their time. */
const QUIET_MS = 3;

/** The actors stop at yield points, and the scheduler chooses who goes on. */
export class Turns {
  readonly #scheduler: Scheduler;
  #arrivals = 0;
  #running = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** A yield point. Free before and after the run. */
  async at(label: string): Promise<void> {
    if (!this.#running) return;
    this.#arrivals++;
    await this.#scheduler.schedule(Promise.resolve(), label);
  }

  /** Runs the actors to their end, one turn after another. Rejects with the first failure, when all have ended. */
  async run(actors: readonly (() => Promise<void>)[]): Promise<void> {
    this.#running = true;
    let running = actors.length;
    const ends = actors.map(async (actor) => {
      try {
        await actor();
      } finally {
        running--;
      }
    });
    const all = Promise.allSettled(ends);
    while (running > 0) {
      const before = this.#arrivals;
      // At once where everybody waits for a turn.
      if (this.#scheduler.count() < running) await pause(QUIET_MS);
      if (this.#arrivals !== before || this.#scheduler.count() === 0) continue;
      await this.#scheduler.waitNext(1);
    }
    this.#running = false;
    while (this.#scheduler.count() > 0) await this.#scheduler.waitNext(1);
    for (const end of await all) if (end.status === 'rejected') throw end.reason;
  }
}
