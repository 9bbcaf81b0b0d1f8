import { WherryError, silentLogger, type Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { isRecorded, type JournalPoint } from './points.ts';
import { readMigration, readWorkOrder, type MigrationState, type MigrationStep, type WorkOrder } from './state.ts';
import { WorkParts } from './work-parts.ts';

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

/** One pass over both stores. */
export interface Verification {
  readonly pass: bigint;
  /** Control's clock, epoch ms. It stays when the pass is resumed: what was compared before says nothing of later. */
  readonly startedAt: number;
}

/** What a verification found. */
export interface VerificationResult {
  readonly compared: number;
  /** By class; those that had expired in flight are none. */
  readonly differences: Readonly<Record<string, number>>;
  readonly equal: boolean;
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

const BEGIN_VERIFICATION = `
  WITH lead AS (SELECT FROM migration WHERE leader = $1),
  open AS (SELECT pass, started_at FROM migration_verification WHERE ended_at IS NULL AND EXISTS (SELECT FROM lead)),
  made AS (INSERT INTO migration_verification (started_at) SELECT wherry_now() FROM lead WHERE NOT EXISTS (SELECT FROM open)
    RETURNING pass, started_at),
  forgotten AS (DELETE FROM migration_pass WHERE pass = 'verify' AND EXISTS (SELECT FROM made))
  SELECT pass, started_at FROM open UNION ALL SELECT pass, started_at FROM made`;

/** What earlier passes found is kept this long for people who look for a cause. */
const KEEP_DIFFERENCES_MS = 7 * 86_400_000;

const END_VERIFICATION = `
  WITH ended AS (UPDATE migration_verification SET ended_at = wherry_now(), compared = $3, differences = $4
    WHERE pass = $2 AND EXISTS (SELECT FROM migration WHERE leader = $1) RETURNING started_at),
  aged AS (DELETE FROM migration_difference WHERE pass < $2 AND seen_at < wherry_now() - $6::bigint AND EXISTS (SELECT FROM ended)),
  old AS (DELETE FROM migration_verification WHERE pass < $2 AND started_at < wherry_now() - $6::bigint AND EXISTS (SELECT FROM ended))
  UPDATE migration SET verified_since = CASE WHEN $5 THEN ended.started_at ELSE verified_since END, version = version + 1
  FROM ended WHERE leader = $1`;

/**
 * The migration's durable memory. One process drives at a time: whoever holds `leader` while its instance lease lives.
 * Every write of the steps carries that condition, so a driver that was stopped and comes back late changes nothing
 * (`lease_lost`); what it may still write to a store is harmless there, because versions and fences judge it.
 */
export class Journal {
  /** The parts of the passes, shared out to the workers. */
  readonly parts: WorkParts;
  readonly #options: JournalOptions;
  readonly #log: Logger;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.parts = new WorkParts(options.database, options.instance);
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

  /** The row with the number of workers that share its rate. */
  order(): Promise<WorkOrder> {
    return readWorkOrder(this.#options.database);
  }

  /** Moves from one step to the next. `lease_lost` when another drives, `conflict` when the step is not `from`. */
  async advance(from: MigrationStep, to: MigrationStep): Promise<void> {
    await this.#write(
      'UPDATE migration SET step = $2, version = version + 1, updated_at = wherry_now() WHERE leader = $1 AND step = $3',
      [to, from],
      `the migration is not in step ${from}`,
    );
  }

  /** The verification that is under way, one that was interrupted included; else a new one, which starts from the beginning. */
  async beginVerification(): Promise<Verification> {
    const { rows } = await this.#options.database.query<{ pass: bigint; started_at: bigint }>(BEGIN_VERIFICATION, [
      this.#options.instance(),
    ]);
    const row = rows[0];
    if (row === undefined) throw new WherryError('lease_lost', 'another process drives the migration now');
    return { pass: row.pass, startedAt: Number(row.started_at) };
  }

  /** Writes down what a verification found; where that is nothing, the two sides count as equal since its start. */
  async endVerification({ pass }: Verification, { compared, differences, equal }: VerificationResult): Promise<void> {
    await this.#write(END_VERIFICATION, [pass, compared, JSON.stringify(differences), equal, KEEP_DIFFERENCES_MS], 'the migration is gone');
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
