/** One look at the server's clock: its time, ms, when that was by our monotonic clock, and how far off it may be. */
interface Look {
  readonly serverTime: number;
  readonly at: number;
  readonly uncertainty: number;
}

/** After this long a look is taken anew. */
const FRESH_MS = 10_000;
/** What two clocks may drift apart in a millisecond: 100 parts per million. */
const DRIFT = 1e-4;

/**
 * The server's clock, counted on by the monotonic clock of this process from the best answer that was had of late: a
 * leap of the local clock changes nothing.
 */
export class ServerClock {
  #best: Look | undefined;
  #lookedAt = -Infinity;
  #last = -Infinity;

  /** True where an answer is due. */
  get isStale(): boolean {
    return performance.now() - this.#lookedAt > FRESH_MS;
  }

  /** Takes an answer in: `serverTime` in epoch ms, asked for at `sentAt` of `performance.now()`. */
  learn(serverTime: number, sentAt: number): void {
    const now = performance.now();
    const look = { serverTime, at: (sentAt + now) / 2, uncertainty: (now - sentAt) / 2 };
    const best = this.#best;
    if (best === undefined || look.uncertainty <= best.uncertainty + (now - best.at) * DRIFT) this.#best = look;
    this.#lookedAt = now;
  }

  /** Whole epoch ms, never less than before: what has run out does not come back by a better look. NaN where nothing was learnt yet. */
  now(): number {
    if (this.#best === undefined) return Number.NaN;
    this.#last = Math.max(this.#last, Math.round(this.#best.serverTime + performance.now() - this.#best.at));
    return this.#last;
  }
}
