import { createHash } from 'node:crypto';
import { controlError, type Database } from '@wherry/core/control';

/** Remembers what may be used once, for all instances. */
export class UsedOnce {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * True for the first who uses `name` of `owner`, on any instance; false for everybody after, for `keepMs` milliseconds
   * at least. Throws `control_unavailable`, and then it may count as used.
   */
  async use(owner: string, name: string, keepMs: number): Promise<boolean> {
    // The length keeps apart what joined would be one text.
    const digest = createHash('sha256').update(`${owner.length}:${owner}${name}`, 'utf8').digest();
    try {
      const { rowCount } = await this.#database.query(
        `INSERT INTO client_assertion (digest, expire_time) VALUES ($1, wherry_now() + $2) ON CONFLICT (digest) DO NOTHING`,
        [digest, keepMs],
      );
      return rowCount === 1;
    } catch (error) {
      throw controlError(error);
    }
  }

  /** Forgets what has expired; answers how many. */
  async sweep(limit = 10_000): Promise<number> {
    const { rowCount } = await this.#database.query(
      `DELETE FROM client_assertion WHERE digest IN (SELECT digest FROM client_assertion WHERE expire_time < wherry_now() LIMIT $1)`,
      [limit],
    );
    return rowCount ?? 0;
  }
}
