import type { PrimarySide } from './slot-entry.ts';

/** The right to write to a slot under one epoch. It counts as a write in flight until `leave`. */
export interface SlotPassage extends Disposable {
  readonly slot: number;
  readonly shard: number;
  readonly epoch: number;
  readonly side: PrimarySide;
  /** Gives the right back; repeated calls do nothing. */
  leave(): void;
}

/** All passages of one slot that were given out between two changes of its entry. */
export class Cohort {
  #inside = 0;
  #retiredAt: bigint | undefined;
  readonly #gone = Promise.withResolvers<void>();

  /** True when somebody is inside. */
  get occupied(): boolean {
    return this.#inside > 0;
  }

  /** The version that ended this cohort; undefined while it takes members. */
  get retiredAt(): bigint | undefined {
    return this.#retiredAt;
  }

  /** Resolves when the last member of a retired cohort has left. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  join(): void {
    this.#inside++;
  }

  leave(): void {
    this.#inside--;
    if (this.#inside === 0 && this.#retiredAt !== undefined) this.#gone.resolve();
  }

  /** Ends the cohort with the change of version `seq`. Nobody joins any more. */
  retire(seq: bigint): void {
    this.#retiredAt = seq;
    if (this.#inside === 0) this.#gone.resolve();
  }
}

/** A passage as the slot map gives it out. */
export class CohortPassage implements SlotPassage {
  readonly slot: number;
  readonly shard: number;
  readonly epoch: number;
  readonly side: PrimarySide;
  #cohort: Cohort | undefined;

  constructor(slot: number, shard: number, epoch: number, side: PrimarySide, cohort: Cohort) {
    this.slot = slot;
    this.shard = shard;
    this.epoch = epoch;
    this.side = side;
    this.#cohort = cohort;
    cohort.join();
  }

  leave(): void {
    this.#cohort?.leave();
    this.#cohort = undefined;
  }

  [Symbol.dispose](): void {
    this.leave();
  }
}
