import type { Logger } from '@wherry/core';
import { controlError, transaction } from '@wherry/core/control';
import type { TokenFamilies } from '@wherry/renewal';
import type { SessionRuntime } from '@wherry/sessions';
import type { RaisedGeneration } from '@wherry/revocation';

/** What became of ending all of a user's sessions. */
export interface UserEnd {
  /** Sessions and tokens of a lower generation are ended. */
  readonly generation: number;
  /** False: some instance had not said in time that it acts on it. */
  readonly propagated: boolean;
}

/** A change that was begun so long ago is not under way any more. */
const OWED_AFTER_MS = 60_000;

/**
 * Ends all that a user has: sessions in the shards, sessions in the source, access tokens. The generation is raised
 * first, which is durable and ends them all, wherever they lie, for every reader; the tombstones in the shards follow,
 * for readers who are cut off from the news. Those that could not be written are written later.
 */
export class UserEnds {
  readonly #runtime: SessionRuntime;
  readonly #families: Pick<TokenFamilies, 'endUser'>;
  readonly #log: Logger;
  readonly #owedAfterMs: number;
  readonly #left = new Map<string, number>();

  constructor(runtime: SessionRuntime, families: Pick<TokenFamilies, 'endUser'>, log: Logger, owedAfterMs: number = OWED_AFTER_MS) {
    this.#runtime = runtime;
    this.#families = families;
    this.#log = log;
    this.#owedAfterMs = owedAfterMs;
  }

  /** How many users' tombstones are still to be written. */
  get left(): number {
    return this.#left.size;
  }

  /** Errors: `control_unavailable`, and then nothing has ended. */
  async end(userId: string, actor: string, reason: string): Promise<UserEnd> {
    return this.#spread(userId, await this.#runtime.revocations.raiseGeneration(userId, actor, reason));
  }

  /** The same, and the user is kept out. Errors: `control_unavailable`, and then nothing has changed. */
  async disable(userId: string, actor: string, reason: string): Promise<UserEnd> {
    return this.#spread(userId, await this.#runtime.revocations.disableUser(userId, actor, reason));
  }

  /** Lets a user in again. Errors: `control_unavailable`. */
  async enable(userId: string, actor: string, reason: string): Promise<{ readonly changed: boolean; readonly propagated: boolean }> {
    const { revocations } = this.#runtime;
    const seq = await revocations.enableUser(userId, actor, reason);
    return seq === undefined ? { changed: false, propagated: true } : { changed: true, propagated: await revocations.propagated(seq) };
  }

  /**
   * Makes a change after which the user's sessions must not go on. That they are to be ended is on record before it: a
   * crash after the change, or a change of which nobody knows whether it happened, is followed by their end within
   * a minute or two. undefined: `change` answered false, nothing has changed and nothing was ended. Errors: those of
   * `change`, `control_unavailable`.
   */
  async after(userId: string, actor: string, reason: string, change: () => Promise<boolean>): Promise<UserEnd | undefined> {
    const owed = await this.#owe(userId, reason);
    if (!(await change())) {
      await this.#settled(owed);
      return undefined;
    }
    const end = await this.end(userId, actor, reason);
    await this.#settled(owed);
    return end;
  }

  /** Writes the tombstones that are left, and ends what a crash has left owed. */
  async retry(): Promise<void> {
    for (const [userId, generation] of this.#left) await this.#scatter(userId, generation);
    while (await this.#payOne());
  }

  async #spread(userId: string, { generation, seq }: RaisedGeneration): Promise<UserEnd> {
    const [propagated] = await Promise.all([this.#runtime.revocations.propagated(seq), this.#scatter(userId, generation)]);
    return { generation, propagated };
  }

  async #scatter(userId: string, generation: number): Promise<void> {
    try {
      await this.#runtime.target.endUser(userId, generation, this.#runtime.now());
      await this.#families.endUser(userId, generation);
      if ((this.#left.get(userId) ?? 0) <= generation) this.#left.delete(userId);
    } catch (error) {
      this.#left.set(userId, Math.max(generation, this.#left.get(userId) ?? 0));
      this.#log.warn('the sessions of a user have ended; not every shard has been told, and will be', { error });
    }
  }

  async #owe(userId: string, reason: string): Promise<bigint> {
    try {
      const { rows } = await this.#runtime.control.query<{ id: bigint }>(
        'INSERT INTO user_end_owed (user_id, reason) VALUES ($1, $2) RETURNING id',
        [userId, reason],
      );
      const row = rows[0];
      if (row === undefined) throw new Error('the end of the sessions was not put on record');
      return row.id;
    } catch (error) {
      throw controlError(error);
    }
  }

  /** What stays on record is done once more: the user signs in again, and nobody is kept in. */
  async #settled(id: bigint): Promise<void> {
    await this.#runtime.control.query('DELETE FROM user_end_owed WHERE id = $1', [id]).catch((error: unknown) => {
      this.#log.warn('the end of a sessions stays on record, and will be repeated', { error });
    });
  }

  /** Pays the oldest debt; the row is locked meanwhile, so that others take the next one. False: there is none. */
  async #payOne(): Promise<boolean> {
    return transaction(this.#runtime.control, async (tx) => {
      const { rows } = await tx.query<{ id: bigint; user_id: string; reason: string }>(
        `SELECT id, user_id, reason FROM user_end_owed WHERE since < wherry_now() - $1 ORDER BY since LIMIT 1 FOR UPDATE SKIP LOCKED`,
        [this.#owedAfterMs],
      );
      const row = rows[0];
      if (row === undefined) return false;
      await this.end(row.user_id, 'system', row.reason);
      await tx.query('DELETE FROM user_end_owed WHERE id = $1', [row.id]);
      return true;
    });
  }
}
