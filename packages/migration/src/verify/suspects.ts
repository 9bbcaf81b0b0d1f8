import { pause } from '@wherry/core';
import type { SessionKey } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { Difference, DifferenceClass, SideView } from './compare.ts';

/** A session that differed once, and when it is to be looked at again (monotonic ms). */
export interface Suspect {
  readonly key: SessionKey;
  readonly rawId: string;
  /** What the primary side said at the first look. */
  readonly before: SideView;
  readonly due: number;
  /** How often it was found in use. */
  readonly inUse: number;
}

/** What another look at a suspect found: agreement, a difference that stands, or that the primary side has moved on to something else. */
export type SecondLook = Difference | { readonly inUse: SideView } | undefined;

/** A session that is in use at so many looks in turn is mirrored all the time; its next pause is a later pass's. */
const MOST_IN_USE = 2;

/** What became of the suspects so far. */
export interface SuspectCounts {
  readonly differences: Readonly<Partial<Record<DifferenceClass, number>>>;
  /** The same by what differs, in words. */
  readonly details: Readonly<Record<string, number>>;
  readonly repaired: number;
}

/** Sessions that differed at first sight, waiting for their grace. Bounded: when it is full, the oldest are looked at first. */
export class Suspects {
  readonly #context: MigrationContext;
  readonly #waiting = new Map<bigint, Suspect>();
  readonly #differences: Partial<Record<DifferenceClass, number>> = {};
  readonly #details: Record<string, number> = {};
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

  add(key: SessionKey, rawId: string, before: SideView): void {
    if (!this.#waiting.has(key.id))
      this.#waiting.set(key.id, { key, rawId, before, due: performance.now() + this.#context.graceMs, inUse: 0 });
  }

  /** Looks again at those due by `until`, waiting for their time; Infinity: at all. */
  async settle(until: number, look: (suspect: Suspect) => Promise<SecondLook>): Promise<SuspectCounts> {
    for (const suspect of this.#waiting.values()) {
      if (suspect.due > until && this.#waiting.size < 10_000) break;
      await pause(Math.max(0, suspect.due - performance.now()), this.#context.pace.signal);
      this.#context.pace.signal.throwIfAborted();
      const found = await look(suspect);
      this.#waiting.delete(suspect.key.id);
      if (found === undefined) continue;
      if ('inUse' in found) {
        this.#again(suspect, found.inUse);
        continue;
      }
      this.#differences[found.class] = (this.#differences[found.class] ?? 0) + 1;
      this.#details[found.detail] = (this.#details[found.detail] ?? 0) + 1;
      if (found.class !== 'expired_in_flight') this.#repaired++;
    }
    return { differences: { ...this.#differences }, details: { ...this.#details }, repaired: this.#repaired };
  }

  /** At the end of the queue, so that the order stays that of the times. */
  #again({ key, rawId, inUse }: Suspect, before: SideView): void {
    if (inUse + 1 < MOST_IN_USE)
      this.#waiting.set(key.id, { key, rawId, before, due: performance.now() + this.#context.graceMs, inUse: inUse + 1 });
  }
}
