import { WherryError } from '@wherry/core';
import { sourceChanged } from '../source/lives.ts';

/** Runs a script and names the server's life that is meant, '' for any; answers what the script does. */
type Run = (life: string) => Promise<unknown>;

/** The lives that a call may meet; undefined: any. Each acceptance has an object of its own. */
export type AcceptedLives = ReadonlySet<string> | undefined;

/**
 * Which lives of servers are read and written: none is asked for before the first `accept`. A call stays bound to what
 * was accepted when it began, however often it is sent.
 */
export class KnownLives {
  #accepted: AcceptedLives;
  /** Where a slot was met last. It may have moved since. */
  readonly #bySlot = new Map<number, string>();

  accept(lives: readonly string[]): void {
    this.#accepted = new Set(lives);
  }

  /** What is accepted now, for a call that begins now and is sent later; undefined: anything. */
  get accepted(): AcceptedLives {
    return this.#accepted;
  }

  /** Errors: `source_unavailable`, by which `isSourceChanged` is true, where the server that holds the slot has another life. */
  async run(slot: number, accepted: AcceptedLives, run: Run): Promise<unknown> {
    if (accepted === undefined) return run('');
    const met = this.#bySlot.get(slot);
    let life = met !== undefined && accepted.has(met) ? met : first(accepted);
    // A slot goes from one accepted server to another now and then, not all the time.
    for (let turn = 0; turn <= accepted.size; turn++) {
      const reply = await run(life);
      const here = strangerOf(reply);
      if (here === undefined) {
        this.#bySlot.set(slot, life);
        return reply;
      }
      if (!accepted.has(here)) break;
      life = here;
    }
    throw sourceChanged('Redis is served by another process than is known, after a restart or a failover');
  }
}

function first(lives: ReadonlySet<string>): string {
  const [life] = lives;
  if (life === undefined) throw new WherryError('source_unavailable', 'no server of the source is known');
  return life;
}

function strangerOf(reply: unknown): string | undefined {
  return Array.isArray(reply) && reply[0] === 'stranger' ? String(reply[1]) : undefined;
}
