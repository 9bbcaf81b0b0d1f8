import type { Logger } from '@wherry/core';
import type { SessionRuntime } from '@wherry/sessions';

/** What became of ending all of a user's sessions. */
export interface UserEnd {
  /** Sessions and tokens of a lower generation are ended. */
  readonly generation: number;
  /** False: some instance had not said in time that it acts on it. */
  readonly propagated: boolean;
}

/**
 * Ends all that a user has: sessions in the shards, sessions in the source, access tokens. The generation is raised
 * first, which is durable and ends them all, wherever they lie, for every reader; the tombstones in the shards follow,
 * for readers who are cut off from the news. Those that could not be written are written later.
 */
export class UserEnds {
  readonly #runtime: SessionRuntime;
  readonly #log: Logger;
  readonly #left = new Map<string, number>();

  constructor(runtime: SessionRuntime, log: Logger) {
    this.#runtime = runtime;
    this.#log = log;
  }

  /** How many users' tombstones are still to be written. */
  get left(): number {
    return this.#left.size;
  }

  /** Errors: `control_unavailable`, and then nothing has ended. */
  async end(userId: string, actor: string, reason: string): Promise<UserEnd> {
    const { revocations } = this.#runtime;
    const { generation, seq } = await revocations.raiseGeneration(userId, actor, reason);
    const [propagated] = await Promise.all([revocations.propagated(seq), this.#scatter(userId, generation)]);
    return { generation, propagated };
  }

  /** Writes the tombstones that are left. */
  async retry(): Promise<void> {
    for (const [userId, generation] of this.#left) await this.#scatter(userId, generation);
  }

  async #scatter(userId: string, generation: number): Promise<void> {
    try {
      await this.#runtime.target.endUser(userId, generation, this.#runtime.now());
      if ((this.#left.get(userId) ?? 0) <= generation) this.#left.delete(userId);
    } catch (error) {
      this.#left.set(userId, Math.max(generation, this.#left.get(userId) ?? 0));
      this.#log.warn('the sessions of a user have ended; not every shard has been told, and will be', { error });
    }
  }
}
