import { WherryError, silentLogger, type Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { isRecorded, type JournalPoint } from './points.ts';
import { readMigration, type MigrationState, type MigrationStep } from './state.ts';

/** Where one pass over one part of a store stands: the resume state, one value. */
export interface Checkpoint {
  /** Changes when the cursor loses its meaning; the part then starts again. */
  readonly incarnation: string;
  /** Where the next page starts; null: at the start. */
  readonly cursor: string | null;
  readonly done: boolean;
  /** Running totals, by name. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Options of {@link Journal}. */
export interface JournalOptions {
  readonly database: Database;
  /** This process' instance id, as of now. */
  readonly instance: () => string;
  readonly log?: Logger;
  /** Awaited at every point, after what it stands for is durable: for tests that crash or interleave there. */
  readonly at?: (point: JournalPoint) => Promise<void>;
}

const CLAIM = `
  UPDATE migration SET leader = $1, updated_at = wherry_now()
  WHERE leader IS NULL OR leader = $1
     OR NOT EXISTS (SELECT FROM instance i WHERE i.id = migration.leader AND i.state = 'live' AND i.lease_until > wherry_now())`;

/**
 * The migration's durable memory. One process drives at a time: whoever holds `leader` while its instance lease lives.
 * Every write here carries that condition, so a driver that was stopped and comes back late changes nothing
 * (`lease_lost`); what it may still write to a store is harmless there, because versions and fences judge it.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #log: Logger;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
  }

  /** Takes the lead; false while another live process has it. */
  async lead(): Promise<boolean> {
    await readMigration(this.#options.database);
    const { rowCount } = await this.#options.database.query(CLAIM, [this.#options.instance()]);
    return rowCount === 1;
  }

  /** Gives the lead back. */
  async yieldLead(): Promise<void> {
    await this.#options.database.query('UPDATE migration SET leader = NULL WHERE leader = $1', [this.#options.instance()]);
  }

  /** The row as it is now. */
  read(): Promise<MigrationState> {
    return readMigration(this.#options.database);
  }

  /** Moves from one step to the next. `lease_lost` when another drives, `conflict` when the step is not `from`. */
  async advance(from: MigrationStep, to: MigrationStep): Promise<void> {
    await this.#write(
      'UPDATE migration SET step = $2, version = version + 1, updated_at = wherry_now() WHERE leader = $1 AND step = $3',
      [to, from],
      `the migration is not in step ${from}`,
    );
  }

  /** Writes down that a verification which began at `since` (control's clock) found the two sides equal; null: it did not. */
  async verified(since: number | null): Promise<void> {
    await this.#write(
      'UPDATE migration SET verified_since = $2, version = version + 1 WHERE leader = $1',
      [since],
      'the migration is gone',
    );
  }

  /** The checkpoint of one part, or undefined where there is none of this incarnation. */
  async checkpoint(pass: string, part: string, incarnation: string): Promise<Checkpoint | undefined> {
    const { rows } = await this.#options.database.query<{ cursor: string | null; done: boolean; counts: Record<string, number> }>(
      'SELECT cursor, done, counts FROM migration_pass WHERE pass = $1 AND part = $2 AND incarnation = $3',
      [pass, part, incarnation],
    );
    const row = rows[0];
    return row === undefined ? undefined : { incarnation, ...row };
  }

  /** Writes a checkpoint. Only after everything that it covers has been written. */
  async save(pass: string, part: string, { incarnation, cursor, done, counts }: Checkpoint): Promise<void> {
    await this.#write(
      `INSERT INTO migration_pass (pass, part, incarnation, cursor, done, counts)
       SELECT $2, $3, $4, $5, $6, $7 FROM migration WHERE leader = $1
       ON CONFLICT (pass, part) DO UPDATE SET incarnation = excluded.incarnation, cursor = excluded.cursor, done = excluded.done, counts = excluded.counts`,
      [pass, part, incarnation, cursor, done, JSON.stringify(counts)],
      'the migration is gone',
    );
  }

  /** Forgets the checkpoints of a pass, so that it starts from the beginning. */
  async forget(pass: string): Promise<void> {
    await this.#options.database.query('DELETE FROM migration_pass WHERE pass = $2 AND EXISTS (SELECT FROM migration WHERE leader = $1)', [
      this.#options.instance(),
      pass,
    ]);
  }

  /** Says that the work has come to `point`, all before it being durable. */
  async reach(point: JournalPoint, details: Readonly<Record<string, unknown>> = {}): Promise<void> {
    if (isRecorded(point)) {
      this.#log.info('migration', { point, ...details });
      await this.#options.database.query('INSERT INTO migration_journal (instance, point, details) VALUES ($1, $2, $3)', [
        this.#options.instance(),
        point,
        JSON.stringify(details),
      ]);
    }
    await this.#options.at?.(point);
  }

  async #write(sql: string, values: readonly unknown[], otherwise: string): Promise<void> {
    const { rowCount } = await this.#options.database.query(sql, [this.#options.instance(), ...values]);
    if (rowCount === 1) return;
    const { rows } = await this.#options.database.query<{ leads: boolean }>('SELECT leader = $1 AS leads FROM migration', [
      this.#options.instance(),
    ]);
    if (rows[0]?.leads === true) throw new WherryError('conflict', otherwise);
    throw new WherryError('lease_lost', 'another process drives the migration now');
  }
}
