import { randomBytes } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { audit, type Database, type Queryable } from '@wherry/core/control';
import { requireSourceInUse } from '../retire/retire.ts';

/** The steps, in order. `settled` is where a finished migration rests. */
export const MIGRATION_STEPS = ['plan', 'mirror', 'copy', 'verify', 'shadow', 'switch', 'settle', 'settled'] as const;

/** One of {@link MIGRATION_STEPS}. */
export type MigrationStep = (typeof MIGRATION_STEPS)[number];

/** The migration's row. */
export interface MigrationState {
  readonly version: bigint;
  readonly step: MigrationStep;
  /** Where the primary side is to end up. */
  readonly goal: 'source' | 'target';
  /** For how many per cent of the slots. */
  readonly goalPercent: number;
  readonly paused: boolean;
  /** Sessions a second; 0: unlimited. */
  readonly rate: number;
  readonly salt: string;
  /** Start of the last verification that ended clean, control's clock, epoch ms. */
  readonly verifiedSince: number | null;
  /** When an operator last asked for a verification, control's clock, epoch ms. */
  readonly verifyAskedAt: number | null;
  /** Sessions read and written at a time; 0: as each process is configured. */
  readonly batch: number;
  /** An operator wants an end, which is not reached yet. */
  readonly aborting: boolean;
  /** When it was reached; null: it was not, or the migration was taken up again. */
  readonly abortedAt: number | null;
}

interface Row {
  readonly version: bigint;
  readonly step: MigrationStep;
  readonly goal: 'source' | 'target';
  readonly goal_percent: number;
  readonly paused: boolean;
  readonly rate: number;
  readonly salt: string;
  readonly verified_since: bigint | null;
  readonly verify_asked_at: bigint | null;
  readonly batch: number;
  readonly aborting: boolean;
  readonly aborted_at: bigint | null;
}

/** A source that has restarted or failed over asks for a verification as an operator does. */
const ASKED = `greatest(verify_asked_at, (SELECT since FROM source_life WHERE since > 0 AND compared_at IS NULL)) AS verify_asked_at`;
const COLUMNS = `version, step, goal, goal_percent, paused, rate, salt, verified_since, batch, aborting, aborted_at, ${ASKED}`;

/** Reads the row, making it on the first call. */
export async function readMigration(database: Queryable): Promise<MigrationState> {
  const found = await database.query<Row>(`SELECT ${COLUMNS} FROM migration`);
  if (found.rows[0] !== undefined) return stateOf(found.rows[0]);
  await database.query('INSERT INTO migration (salt) VALUES ($1) ON CONFLICT DO NOTHING', [randomBytes(16).toString('hex')]);
  return readMigration(database);
}

/** What the work is done by: the row, and how many share its rate. */
export interface WorkOrder extends MigrationState {
  /** Live processes that work on parts; 0: none has one. */
  readonly workers: number;
}

const WORKERS = `(SELECT count(DISTINCT i.id)::int FROM migration_pass p JOIN instance i ON i.id = p.worker
  WHERE NOT p.done AND i.state = 'live' AND i.lease_until > wherry_now()) AS workers`;

/** Reads the row with the number of workers. */
export async function readWorkOrder(database: Queryable): Promise<WorkOrder> {
  const { rows } = await database.query<Row & { workers: number }>(`SELECT ${COLUMNS}, ${WORKERS} FROM migration`);
  const row = rows[0];
  if (row === undefined) return { ...(await readMigration(database)), workers: 0 };
  return { ...stateOf(row), workers: row.workers };
}

/** What an operator may change while it runs. */
export interface MigrationChange {
  readonly goal?: 'source' | 'target';
  readonly goalPercent?: number;
  readonly paused?: boolean;
  readonly rate?: number;
  readonly batch?: number;
}

/** Applies an operator's wish and writes it into the audit log. The migrator sees it within a second. */
export async function changeMigration(
  database: Database,
  change: MigrationChange,
  by: { readonly actor: string; readonly reason?: string },
): Promise<MigrationState> {
  checkChange(change);
  await readMigration(database);
  if (change.goal === 'source') await requireSourceInUse(database);
  const { rows } = await database.query<Row>(
    `UPDATE migration SET version = version + 1, updated_at = wherry_now(),
       goal = coalesce($1, goal), goal_percent = coalesce($2, goal_percent), paused = coalesce($3, paused), rate = coalesce($4, rate),
       batch = coalesce($5, batch), aborted_at = CASE WHEN NOT $3 THEN NULL ELSE aborted_at END,
       -- A changed goal takes a finished migration up again.
       step = CASE WHEN ($1 IS NOT NULL OR $2 IS NOT NULL) AND step IN ('settle', 'settled') THEN 'switch' ELSE step END
     WHERE NOT aborting OR ($1::text IS NULL AND $2::int IS NULL AND $3::boolean IS NOT TRUE)
     RETURNING ${COLUMNS}`,
    [change.goal ?? null, change.goalPercent ?? null, change.paused ?? null, change.rate ?? null, change.batch ?? null],
  );
  const row = rows[0];
  if (row === undefined)
    throw new WherryError('migration_step_invalid', 'the migration is being aborted: only rate and batch can be changed');
  await audit(database, { action: 'migration.change', details: { ...change }, ...by });
  return stateOf(row);
}

/**
 * Asks for another verification of sides that have been found equal before, settled ones too. A migrator that runs begins
 * it within a second, unless it is paused. Errors: `migration_step_invalid` before the first one, which comes by itself.
 */
export async function askVerification(
  database: Database,
  by: { readonly actor: string; readonly reason?: string },
): Promise<MigrationState> {
  await requireSourceInUse(database);
  const { rows } = await database.query<Row>(
    `UPDATE migration SET verify_asked_at = wherry_now(), version = version + 1, updated_at = wherry_now()
     WHERE verified_since IS NOT NULL RETURNING ${COLUMNS}`,
  );
  const row = rows[0];
  if (row === undefined)
    throw new WherryError('migration_step_invalid', 'nothing has been verified yet: the first verification follows the copy by itself');
  await audit(database, { action: 'migration.verify', ...by });
  return stateOf(row);
}

/** True while no verification has ended that began after an operator asked for one. */
export function isVerificationWanted({ verifiedSince, verifyAskedAt }: MigrationState): boolean {
  return verifyAskedAt !== null && (verifiedSince === null || verifiedSince <= verifyAskedAt);
}

function checkChange({ goalPercent, rate, batch }: MigrationChange): void {
  if (batch !== undefined && !(Number.isInteger(batch) && batch >= 0 && batch <= 5000)) {
    throw new WherryError('bad_request', `batch is ${batch}; allowed is a whole number of sessions from 1 to 5000, or 0 (as configured)`);
  }
  if (goalPercent !== undefined && !(Number.isInteger(goalPercent) && goalPercent >= 0 && goalPercent <= 100)) {
    throw new WherryError('bad_request', `percent is ${goalPercent}; allowed is a whole number from 0 to 100`);
  }
  if (rate !== undefined && !(Number.isInteger(rate) && rate >= 0 && rate <= 10_000_000)) {
    throw new WherryError('bad_request', `rate is ${rate}; allowed is a whole number of sessions a second from 0 (unlimited) to 10000000`);
  }
}

function stateOf(row: Row): MigrationState {
  const { version, step, goal, paused, rate, salt, batch, aborting } = row;
  return {
    version,
    step,
    goal,
    goalPercent: row.goal_percent,
    paused,
    rate,
    salt,
    verifiedSince: timeOf(row.verified_since),
    verifyAskedAt: timeOf(row.verify_asked_at),
    batch,
    aborting,
    abortedAt: timeOf(row.aborted_at),
  };
}

function timeOf(value: bigint | null): number | null {
  return value === null ? null : Number(value);
}
