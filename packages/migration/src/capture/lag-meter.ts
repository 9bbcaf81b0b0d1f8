import type { FeedPosition } from '@wherry/sessions';

/** The source was at `at` when it was asked, monotonic ms. */
interface Mark {
  readonly head: FeedPosition;
  readonly askedAt: number;
}

/** How far the target is behind the source. */
export interface CaptureLag {
  readonly lagMs: number;
  readonly lagBytes: number;
}

/** Most marks that wait to be reached. */
const MOST_MARKS = 4096;

/**
 * Measures how far the target is behind the source: the source is asked for its head from time to time, and the lag is the
 * age of the oldest head that was not reached yet. A feed that is silent, or that comes from another server than the one
 * which is asked, so shows as a lag that grows.
 */
export class LagMeter {
  readonly #head: () => Promise<FeedPosition>;
  #marks: Mark[] = [];

  constructor(head: () => Promise<FeedPosition>) {
    this.#head = head;
  }

  /** Asks the source. Throws `source_unavailable`. */
  async look(): Promise<void> {
    const askedAt = performance.now();
    const head = await this.#head();
    if (this.#marks.length < MOST_MARKS) this.#marks.push({ head, askedAt });
  }

  /** The target has what came before `position`: then also what came before any earlier look, whatever history that was of. */
  reached(position: FeedPosition): void {
    const last = this.#marks.findLastIndex((mark) => isBefore(mark.head, position));
    this.#marks = this.#marks.slice(last + 1);
  }

  lag(position: FeedPosition): CaptureLag {
    this.reached(position);
    const [oldest] = this.#marks;
    const newest = this.#marks.at(-1);
    if (oldest === undefined || newest === undefined) return { lagMs: 0, lagBytes: 0 };
    return { lagMs: performance.now() - oldest.askedAt, lagBytes: Math.max(0, newest.head.at - position.at) };
  }
}

function isBefore(head: FeedPosition, position: FeedPosition): boolean {
  return head.history === position.history && head.at <= position.at;
}
