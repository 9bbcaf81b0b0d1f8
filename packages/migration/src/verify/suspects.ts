import { pause } from '@wherry/core';
import type { SessionKey } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { Difference, SideView } from './compare.ts';

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

/** What the names of the counts begin with: differences by class, and by what differs in words. */
export const CLASS_COUNT = 'class ';
export const DETAIL_COUNT = 'detail ';

/** Sessions that differed at first sight, waiting for their grace. Bounded: when it is full, the oldest are looked at first. */
export class Suspects {
  readonly #context: MigrationContext;
  readonly #waiting = new Map<bigint, Suspect>();
  readonly #counts: Record<string, number> = {};

  constructor(context: MigrationContext) {
    this.#context = context;
  }

  get empty(): boolean {
    return this.#waiting.size === 0;
  }

  /** What became of those that were settled, for a checkpoint: `repaired`, and differences by {@link CLASS_COUNT} and {@link DETAIL_COUNT}. */
  get counts(): Readonly<Record<string, number>> {
    return { ...this.#counts };
  }

  add(key: SessionKey, rawId: string, before: SideView): void {
    if (!this.#waiting.has(key.id))
      this.#waiting.set(key.id, { key, rawId, before, due: performance.now() + this.#context.graceMs, inUse: 0 });
  }

  /** Looks again at those due by `until`, waiting for their time; Infinity: at all. */
  async settle(until: number, look: (suspect: Suspect) => Promise<SecondLook>): Promise<void> {
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
      this.#count(CLASS_COUNT + found.class);
      this.#count(DETAIL_COUNT + found.detail);
      if (found.class !== 'expired_in_flight') this.#count('repaired');
    }
  }

  #count(name: string): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
  }

  /** At the end of the queue, so that the order stays that of the times. */
  #again({ key, rawId, inUse }: Suspect, before: SideView): void {
    if (inUse + 1 < MOST_IN_USE)
      this.#waiting.set(key.id, { key, rawId, before, due: performance.now() + this.#context.graceMs, inUse: inUse + 1 });
  }
}
