import type { Queryable } from '@wherry/core/control';

interface Use {
  count: number;
  lastAt: number;
}

/** Counts tokens by the key that signed them, until the counts are written down. Times are monotonic milliseconds. */
export class KeyUses {
  #uses = new Map<string, Use>();

  note(kid: string, now: number): void {
    const use = this.#uses.get(kid);
    if (use === undefined) {
      this.#uses.set(kid, { count: 1, lastAt: now });
      return;
    }
    use.count++;
    use.lastAt = now;
  }

  /** Adds the counts to the keys' rows; what could not be written is counted on. Nobody has to hear of it: it is no news in the feed. */
  async flush(database: Queryable, now: number): Promise<void> {
    if (this.#uses.size === 0) return;
    const taken = this.#uses;
    this.#uses = new Map();
    const entries = [...taken];
    try {
      await database.query(
        `UPDATE signing_key k SET issued = k.issued + u.count, last_used_at = greatest(k.last_used_at, wherry_now() - u.age)
         FROM unnest($1::text[], $2::bigint[], $3::bigint[]) u(kid, count, age) WHERE k.kid = u.kid`,
        [
          entries.map(([kid]) => kid),
          entries.map(([, { count }]) => count),
          entries.map(([, { lastAt }]) => Math.max(0, Math.round(now - lastAt))),
        ],
      );
    } catch (error) {
      for (const [kid, { count, lastAt }] of entries) {
        const since = this.#uses.get(kid);
        this.#uses.set(kid, { count: count + (since?.count ?? 0), lastAt: since?.lastAt ?? lastAt });
      }
      throw error;
    }
  }
}
