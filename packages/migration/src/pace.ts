import { isWherryError, pause, backoffDelay } from '@wherry/core';
import { controlError, isTransient } from '@wherry/core/control';
import type { Journal } from './journal/journal.ts';
import type { MigrationState } from './journal/state.ts';
import type { ProgressListener } from './progress.ts';

/** The operator changed the goal while a step ran: the step stops at a safe place. */
export class GoalChanged extends Error {
  override readonly name = 'GoalChanged';
}

/** Options of {@link Pace}. */
export interface PaceOptions {
  readonly journal: Pick<Journal, 'read'>;
  readonly progress: ProgressListener;
  readonly signal: AbortSignal;
  /** Sessions a second at most, whatever the operator's rate allows beyond it; 0: only that one counts. */
  readonly maxRate?: number;
}

const READ_EVERY_MS = 250;
const OUTAGES = new Set(['source_unavailable', 'shard_unavailable', 'control_unavailable', 'slot_not_owned', 'deadline_exceeded']);

/**
 * Between any two units of work: holds while the operator has paused, keeps to the rate, ends on the signal, and, when
 * a store is away, waits until it is back and repeats the unit. Units are repeatable without harm.
 */
export class Pace {
  readonly #journal: PaceOptions['journal'];
  readonly #signal: AbortSignal;
  readonly #progress: ProgressListener;
  readonly #maxRate: number;
  #state: MigrationState | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #goal: string | undefined;
  /** Sessions that were let through and have not been paid for with time yet. */
  #owed = 0;
  #paidAt = 0;

  constructor({ journal, progress, signal, maxRate = 0 }: PaceOptions) {
    this.#journal = journal;
    this.#progress = progress;
    this.#signal = signal;
    this.#maxRate = maxRate;
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Starts a step: a later change of the goal ends it. */
  begin(state: MigrationState): void {
    this.#goal = goalOf(state);
  }

  /** Runs one unit of `cost` sessions when it may run; the rate holds for units that cost something. Throws the signal's reason or {@link GoalChanged} at the boundary only. */
  async unit<T>(cost: number, work: () => Promise<T>): Promise<T> {
    await this.#admit(cost);
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error)) throw error;
        if (attempt === 0) this.#progress.note(`waiting: ${isWherryError(error) ? error.message : 'a store does not answer'}`);
        await pause(100 + backoffDelay(attempt, { baseMs: 100, maxMs: 2000 }), this.#signal);
        this.#signal.throwIfAborted();
      }
    }
  }

  async #admit(cost: number): Promise<void> {
    let told = false;
    for (;;) {
      this.#signal.throwIfAborted();
      const state = await this.#read();
      if (this.#goal !== undefined && goalOf(state) !== this.#goal) throw new GoalChanged('the goal of the migration was changed');
      const waitMs = state.paused ? READ_EVERY_MS : this.#throttle(cost, lowerRate(state.rate, this.#maxRate));
      if (waitMs === 0) return;
      if (state.paused && !told) this.#progress.note('paused');
      told = state.paused;
      // The wish is read again meanwhile: a wait of minutes under a low rate ends when the rate is raised.
      await pause(Math.min(waitMs, READ_EVERY_MS), this.#signal);
    }
  }

  /** 0: the unit may run, and is paid for from now on. Else how long to wait, ms. */
  #throttle(cost: number, rate: number): number {
    if (cost === 0) return 0;
    if (rate === 0) {
      this.#owed = 0;
      return 0;
    }
    const now = performance.now();
    this.#owed = Math.max(0, this.#owed - ((now - this.#paidAt) / 1000) * rate);
    this.#paidAt = now;
    // Less than a session is a rounding of the timer's.
    if (this.#owed >= 1) return Math.ceil((this.#owed / rate) * 1000);
    this.#owed += cost;
    return 0;
  }

  async #read(): Promise<MigrationState> {
    if (this.#state !== undefined && performance.now() - this.#readAt < READ_EVERY_MS) return this.#state;
    try {
      this.#state = await this.#journal.read();
      this.#readAt = performance.now();
    } catch (error) {
      const converted = controlError(error);
      // With the control database away nothing new can be wished; the unit itself waits for it where it needs it.
      if (!isOutage(converted) || this.#state === undefined) throw converted;
    }
    return this.#state;
  }
}

/** The lower of two rates, of which 0 is none. */
function lowerRate(a: number, b: number): number {
  return a === 0 || b === 0 ? a + b : Math.min(a, b);
}

/** True for a fault that passes by itself when a store comes back. */
export function isOutage(error: unknown): boolean {
  return isWherryError(error) ? OUTAGES.has(error.code) : isTransient(error);
}

function goalOf({ goal, goalPercent }: MigrationState): string {
  return `${goal} ${goalPercent}`;
}
