import { WherryError, silentLogger, type Component, type Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';

/** Why a session needs a repair; for people and counts. */
export type RepairCause = 'target_write' | 'source_write' | 'end_write' | 'verify' | 'uncertain_write';

/** A session whose two sides may differ. */
export interface RepairEntry {
  readonly slot: number;
  readonly id: bigint;
  /** The sealed raw id. */
  readonly sourceRef: Buffer;
  readonly cause: RepairCause;
}

/** An entry as it is claimed for work. */
export interface DueRepair extends RepairEntry {
  /** Changes when another failure comes in between: the entry then stays. */
  readonly serial: bigint;
  readonly attempts: number;
}

/** Options of {@link Repairs}. */
export interface RepairsOptions {
  readonly database: Database;
  readonly log?: Logger;
  /** Most entries kept in memory while the control database is away; default 100000. */
  readonly capacity?: number;
}

const ADD = `
  INSERT INTO repair_entry AS r (slot, id, source_ref, cause)
  SELECT DISTINCT ON (slot, id) slot, id, source_ref, cause FROM unnest($1::int[], $2::bigint[], $3::bytea[], $4::text[]) AS e (slot, id, source_ref, cause)
  ON CONFLICT (slot, id) DO UPDATE SET serial = r.serial + 1, cause = excluded.cause, next_try_at = 0`;

const RETRY_MS = 250;

/**
 * Remembers durably which sessions' second writes failed. `add` returns when the entry is stored, or, when the control
 * database is away, when it is queued here: then the lease of this process lapses too, and a lapsed writer makes the
 * migration verify everything again before it goes on, so even a crash with a full queue loses nothing.
 */
export class Repairs implements Component {
  readonly name = 'repairs';
  readonly #options: RepairsOptions;
  readonly #log: Logger;
  readonly #waiting = new Map<bigint, RepairEntry>();
  #flushing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #overflowed = false;

  constructor(options: RepairsOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
  }

  /** Entries that are not stored yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** True when nothing was ever left unstored: this process may give its lease back. */
  get clean(): boolean {
    return this.#waiting.size === 0 && !this.#overflowed;
  }

  /** Stores an entry. Never throws. */
  async add(entry: RepairEntry): Promise<void> {
    if (this.#waiting.size >= (this.#options.capacity ?? 100_000)) this.#overflowed = true;
    else this.#waiting.set(entry.id, entry);
    await this.#flush();
  }

  /** Resolves when every entry added so far is stored. Throws `control_unavailable` while that cannot be done. */
  async stored(): Promise<void> {
    await this.#flush();
    if (!this.clean) throw new WherryError('control_unavailable', 'repair entries could not be stored yet');
  }

  /** Entries that are due, oldest first; of `slots` only where given. */
  async due(limit: number, slots?: readonly number[]): Promise<DueRepair[]> {
    const { rows } = await this.#options.database.query<{
      slot: number;
      id: bigint;
      source_ref: Buffer;
      cause: RepairCause;
      serial: bigint;
      attempts: number;
    }>(
      `SELECT slot, id, source_ref, cause, serial, attempts FROM repair_entry
       WHERE next_try_at <= wherry_now() AND ($2::int[] IS NULL OR slot = ANY($2::int[])) ORDER BY next_try_at LIMIT $1`,
      [limit, slots ?? null],
    );
    return rows.map(({ source_ref: sourceRef, ...row }) => ({ ...row, sourceRef }));
  }

  /** Entries, due or not, those that are tried next first. */
  async list(limit: number): Promise<RepairEntry[]> {
    const { rows } = await this.#options.database.query<{ slot: number; id: bigint; source_ref: Buffer; cause: RepairCause }>(
      'SELECT slot, id, source_ref, cause FROM repair_entry ORDER BY next_try_at, slot, id LIMIT $1',
      [limit],
    );
    return rows.map(({ source_ref: sourceRef, ...row }) => ({ ...row, sourceRef }));
  }

  /** Removes entries that were repaired, unless another failure came in between. */
  async done(entries: readonly DueRepair[]): Promise<void> {
    await this.#options.database.query(
      `DELETE FROM repair_entry r USING unnest($1::int[], $2::bigint[], $3::bigint[]) AS e (slot, id, serial)
       WHERE r.slot = e.slot AND r.id = e.id AND r.serial = e.serial`,
      [entries.map(({ slot }) => slot), entries.map(({ id }) => id), entries.map(({ serial }) => serial)],
    );
  }

  /** Puts entries off that could not be repaired now; the wait grows with the attempts, up to 30 s. */
  async postpone(entries: readonly DueRepair[]): Promise<void> {
    await this.#options.database.query(
      `UPDATE repair_entry r SET attempts = r.attempts + 1, next_try_at = wherry_now() + least(30000, 100 * 2 ^ least(r.attempts, 10))::bigint
       FROM unnest($1::int[], $2::bigint[]) AS e (slot, id) WHERE r.slot = e.slot AND r.id = e.id`,
      [entries.map(({ slot }) => slot), entries.map(({ id }) => id)],
    );
  }

  /** How many entries there are, due or not; of `slots` only where given. */
  async count(slots?: readonly number[]): Promise<number> {
    const { rows } = await this.#options.database.query<{ count: bigint }>(
      'SELECT count(*) FROM repair_entry WHERE $1::int[] IS NULL OR slot = ANY($1::int[])',
      [slots ?? null],
    );
    return Number(rows[0]?.count ?? 0n);
  }

  async drain(): Promise<void> {
    await this.#flush();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flushing;
    if (!this.clean)
      this.#log.error('repair entries were not stored; the lease lapses and a verification makes up for them', { count: this.waiting });
  }

  #flush(): Promise<void> {
    this.#flushing ??= this.#store().finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  async #store(): Promise<void> {
    while (this.#waiting.size > 0) {
      const entries = [...this.#waiting.values()].slice(0, 1000);
      try {
        await this.#options.database.query(ADD, [
          entries.map(({ slot }) => slot),
          entries.map(({ id }) => id),
          entries.map(({ sourceRef }) => sourceRef),
          entries.map(({ cause }) => cause),
        ]);
      } catch (error) {
        this.#log.warn('repair entries cannot be stored; trying again', { count: this.#waiting.size, error });
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.#flush(), RETRY_MS).unref();
        return;
      }
      // An entry that was added again meanwhile is another object and stays.
      for (const entry of entries) if (this.#waiting.get(entry.id) === entry) this.#waiting.delete(entry.id);
    }
  }
}
