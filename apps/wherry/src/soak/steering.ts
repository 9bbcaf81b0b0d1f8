import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase, type Database } from '@wherry/core/control';
import { changeMigration } from '@wherry/migration';
import { migrationStatus } from '@wherry/migrator';
import { SLOT_COUNT } from '@wherry/shards';

const LOOK_MS = 250;
/** How long nothing may move, and how long a goal may take at all: on a machine that is much slower, each step is. */
const PATIENCE_MS = 240_000;
const LONGEST_MS = 3_600_000;

/** A goal of the migration. */
export interface Goal {
  readonly side: 'source' | 'target';
  readonly percent: number;
}

/** Sets goals as an operator does and waits for them, whatever goes down meanwhile, control included. */
export class Steering {
  readonly #control: Database;
  /** How far everything was at the last look. */
  #stand = '';

  constructor(controlUrl: string) {
    this.#control = openDatabase({ url: controlUrl, poolSize: 2 });
  }

  /** Sets a goal. */
  async aim({ side, percent }: Goal): Promise<void> {
    await this.#patiently('a goal is set', async () => {
      await changeMigration(this.#control, { goal: side, goalPercent: percent }, { actor: 'soak' });
      return true;
    });
  }

  /** Resolves with true at the goal, with false when `signal` is aborted before. */
  async reached(goal: Goal, signal?: AbortSignal): Promise<boolean> {
    return this.#patiently('the goal is reached', () => this.#isAt(goal), signal);
  }

  async close(): Promise<void> {
    await this.#control.end();
  }

  async #isAt({ side, percent }: Goal): Promise<boolean> {
    const { step, slots, work, repairs } = await migrationStatus(this.#control);
    this.#stand = JSON.stringify([step, slots, repairs, work.parts.map(({ part, done, counts }) => [part, done, counts])]);
    const there = slots.reduce((sum, slot) => sum + (slot.side === side && slot.state === 'open' ? slot.count : 0), 0);
    const wanted = Math.round((SLOT_COUNT * percent) / 100);
    return there === wanted && (side === 'source' || percent < 100 || step === 'settled');
  }

  async #patiently(what: string, look: () => Promise<boolean>, signal?: AbortSignal): Promise<boolean> {
    const end = performance.now() + LONGEST_MS;
    let deadline = 0;
    let stand: string | undefined;
    let fault: unknown;
    while (signal?.aborted !== true) {
      try {
        if (await look()) return true;
      } catch (error) {
        // The control database may be what is down.
        fault = error;
      }
      if (this.#stand !== stand) deadline = performance.now() + PATIENCE_MS;
      stand = this.#stand;
      if (performance.now() > Math.min(deadline, end)) throw new Error(`the soak waited in vain: ${what}`, { cause: fault });
      await sleep(LOOK_MS);
    }
    return false;
  }
}
