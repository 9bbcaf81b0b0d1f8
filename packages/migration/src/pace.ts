import { isWherryError, pause, backoffDelay } from '@wherry/core';
import { controlError, isTransient } from '@wherry/core/control';
import type { Journal } from './journal/journal.ts';
import type { MigrationState } from './journal/state.ts';
import type { ProgressListener } from './progress.ts';

/** The operator changed the goal while a step ran: the step stops at a safe place. */
export class GoalChanged extends Error {
  override readonly name = 'GoalChanged';
}

const READ_EVERY_MS = 250;
const OUTAGES = new Set(['source_unavailable', 'shard_unavailable', 'control_unavailable', 'slot_not_owned', 'deadline_exceeded']);

/**
 * Between any two units of work: holds while the operator has paused, keeps to the rate, ends on the signal, and, when
 * a store is away, waits until it is back and repeats the unit. Units are repeatable without harm.
 */
export class Pace {
  readonly #journal: Journal;
  readonly #signal: AbortSignal;
  readonly #progress: ProgressListener;
  #state: MigrationState | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #goal: string | undefined;
  #allowedAt = 0;

  constructor(journal: Journal, progress: ProgressListener, signal: AbortSignal) {
    this.#journal = journal;
    this.#progress = progress;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Starts a step: a later change of the goal ends it. */
  begin(state: MigrationState): void {
    this.#goal = goalOf(state);
  }

  /** Runs one unit of `cost` sessions when it may run. Throws the signal's reason or {@link GoalChanged} at the boundary only. */
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
      if (!state.paused) {
        await this.#throttle(cost, state.rate);
        return;
      }
      if (!told) this.#progress.note('paused');
      told = true;
      await pause(READ_EVERY_MS, this.#signal);
    }
  }

  async #throttle(cost: number, rate: number): Promise<void> {
    if (rate <= 0) return;
    const now = performance.now();
    const start = Math.max(now, this.#allowedAt);
    this.#allowedAt = start + (cost / rate) * 1000;
    if (start > now) await pause(start - now, this.#signal);
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

/** True for a fault that passes by itself when a store comes back. */
export function isOutage(error: unknown): boolean {
  return isWherryError(error) ? OUTAGES.has(error.code) : isTransient(error);
}

function goalOf({ goal, goalPercent }: MigrationState): string {
  return `${goal} ${goalPercent}`;
}
