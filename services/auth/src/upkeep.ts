import { pause } from '@wherry/core';
import type { AuthContext } from './context.ts';
import { repairRegistrations } from './users/repair.ts';

/** Records that go with one statement, and most statements of one round: more than are written in the time between two. */
const SWEEP = 10_000;
const SWEEPS = 50;

/** Looks for what crashes and outages left undone, and for what is over, at intervals. Every instance does, and they may all do so at once. */
export class Upkeep {
  readonly #context: AuthContext;
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(context: AuthContext, everyMs: number) {
    this.#context = context;
    this.#everyMs = everyMs;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Resolves when the round that is under way has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    for (;;) {
      await pause(this.#everyMs, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      await this.#round();
    }
  }

  async #round(): Promise<void> {
    const { registration, runtime, userEnds, logInLimits, oauth, families, log } = this.#context;
    try {
      const repaired = await repairRegistrations(registration);
      if (repaired > 0) log.info('abandoned registrations were undone', { repaired });
      await userEnds.retry();
      for (let n = 0; n < SWEEPS && (await runtime.revocations.sweep(SWEEP)) === SWEEP; n++);
      await logInLimits.sweep();
      await oauth.usedAssertions.sweep();
      await families.sweep();
    } catch (error) {
      log.warn('upkeep did not come to its end; trying again later', { error });
    }
  }
}
