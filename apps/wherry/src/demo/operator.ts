import { setTimeout as sleep } from 'node:timers/promises';
import { isWherryError } from '@wherry/core';
import { openDatabase, type Database } from '@wherry/core/control';
import {
  ROLLOUT_PHASES,
  changeRolloutSettings,
  moveRollout,
  readObservedUse,
  readRollout,
  resumeRollout,
  rolloutFollowers,
  rolloutHistory,
  type Rollout,
  type RolloutCommand,
  type RolloutHistoryEntry,
  type RolloutSettings,
} from '@wherry/rollout';
import type { WherryConfig } from '../config/index.ts';

const ACTOR = 'demo';
const LOOK_EVERY_MS = 200;
const PATIENCE_MS = 180_000;

/** What the history says of a rollout that has come to its end. */
export interface RolloutRecord {
  /** How many of the phases were reached. */
  readonly phases: number;
  readonly guardRollbacks: number;
}

/** Moves the rollout as an operator does by `wherry rollout …`, and watches what the guard of a running service does. */
export class Operator {
  readonly #control: Database;

  constructor(config: WherryConfig) {
    this.#control = openDatabase({ url: config.control.url?.reveal() ?? '' });
  }

  async close(): Promise<void> {
    await this.#control.end();
  }

  /** Moves, as soon as every live instance acts on the present state. Rejects as `moveRollout` does. */
  async move(command: RolloutCommand, reason: string, quietLifeMs = 0): Promise<Rollout> {
    const proof = { evidence: readObservedUse, absoluteMs: quietLifeMs };
    await this.acknowledged();
    for (;;) {
      const { version } = await readRollout(this.#control);
      try {
        return await moveRollout(this.#control, command, { actor: ACTOR, reason, expectedVersion: version }, proof);
      } catch (error) {
        // The guard looks after the rollout at the same time; an instance may come up meanwhile.
        if (!isWherryError(error, 'conflict') && !isWherryError(error, 'rollout_unacknowledged')) throw error;
        await sleep(LOOK_EVERY_MS);
      }
    }
  }

  async set(settings: RolloutSettings, reason: string): Promise<void> {
    await changeRolloutSettings(this.#control, settings, { actor: ACTOR, reason });
  }

  /** Lifts a hold; none is no matter. */
  async resume(reason: string): Promise<void> {
    if ((await readRollout(this.#control)).paused !== null) await resumeRollout(this.#control, { actor: ACTOR, reason });
  }

  /** Resolves when every live instance acts on the present state. */
  async acknowledged(): Promise<void> {
    await this.#until('every instance acts on the rollout', async () => {
      const { behind, following } = await rolloutFollowers(this.#control, (await readRollout(this.#control)).seq);
      return following > 0 && behind.length === 0 ? true : undefined;
    });
  }

  /** Resolves when the narrower half of the phase is in force. */
  async settled(): Promise<void> {
    await this.#until('the phase settles', async () => ((await readRollout(this.#control)).settled ? true : undefined));
  }

  /** Resolves with the guard's step back, as the history has it, once it has been taken. */
  guardRollback(): Promise<RolloutHistoryEntry> {
    return this.#until('the guard takes a step back', async () => (await this.#guardRollbacks())[0]);
  }

  /** What the history says. */
  async record(): Promise<RolloutRecord> {
    const history = await rolloutHistory(this.#control, 1000);
    const reached = new Set(history.flatMap(({ from, to }) => [from.phase, to.phase]));
    const guardRollbacks = await this.#guardRollbacks();
    return { phases: ROLLOUT_PHASES.filter((phase) => reached.has(phase)).length, guardRollbacks: guardRollbacks.length };
  }

  async #guardRollbacks(): Promise<readonly RolloutHistoryEntry[]> {
    const history = await rolloutHistory(this.#control, 1000);
    return history.filter(({ actor, action }) => actor === 'guard' && action === 'rollout.rollback');
  }

  async #until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      if (performance.now() > deadline) throw new Error(`the demo waited in vain: ${what}`);
      await sleep(LOOK_EVERY_MS);
    }
  }
}
