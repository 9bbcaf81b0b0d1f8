import type { Queryable } from '@wherry/core/control';
import type { SessionKey } from '@wherry/sessions';
import type { Verification } from '../journal/journal.ts';
import type { Difference } from './compare.ts';

/** The newest verification as operators see it. Times in epoch ms of the control database. */
export interface VerificationView {
  readonly startedAt: number;
  /** null: it is under way, or waits to be resumed. */
  readonly endedAt: number | null;
  /** Sessions looked at, of both sides; 0 while it is under way. */
  readonly compared: number;
  /** Differences that outlived the grace, by class; those so far while it is under way. */
  readonly differences: Readonly<Record<string, number>>;
  /** How many of them could not be mended, and stand. */
  readonly standing: number;
}

/** Writes down a difference that outlived the grace, and whether it was mended. A session has one row: what the last pass saw. */
export async function recordDifference(
  control: Queryable,
  { pass }: Pick<Verification, 'pass'>,
  { slot, id }: Pick<SessionKey, 'slot' | 'id'>,
  { class: name, detail }: Difference,
  repaired: boolean,
): Promise<void> {
  await control.query(
    `INSERT INTO migration_difference (slot, id, class, detail, repaired, pass) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (slot, id) DO UPDATE SET class = excluded.class, detail = excluded.detail, seen_at = wherry_now(),
       repaired = excluded.repaired, pass = excluded.pass`,
    [slot, id, name, detail, repaired, pass],
  );
}

/** What a pass has found so far, by class. */
export async function countDifferences(
  control: Queryable,
  { pass }: Pick<Verification, 'pass'>,
): Promise<Readonly<Record<string, number>>> {
  const { rows } = await control.query<{ class: string; count: number }>(
    'SELECT class, count(*)::int AS count FROM migration_difference WHERE pass = $1 GROUP BY 1 ORDER BY 1',
    [pass],
  );
  return Object.fromEntries(rows.map((row) => [row.class, row.count]));
}

/** The last verification that ended and had found something; undefined where none has, or where it is forgotten after a week. */
export async function lastDifferences(control: Queryable): Promise<Pick<VerificationView, 'startedAt' | 'differences'> | undefined> {
  const { rows } = await control.query<{ started_at: bigint; differences: Record<string, number> }>(
    `SELECT started_at, differences FROM migration_verification WHERE ended_at IS NOT NULL AND differences <> '{}' ORDER BY pass DESC LIMIT 1`,
  );
  const row = rows[0];
  return row === undefined ? undefined : { startedAt: Number(row.started_at), differences: row.differences };
}

/** Reads the newest verification; undefined before the first. */
export async function newestVerification(control: Queryable): Promise<VerificationView | undefined> {
  const { rows } = await control.query<{ pass: bigint; started_at: bigint; ended_at: bigint | null; compared: bigint; standing: number }>(
    `SELECT v.pass, v.started_at, v.ended_at, v.compared,
       (SELECT count(*)::int FROM migration_difference d WHERE d.pass = v.pass AND NOT d.repaired) AS standing
     FROM migration_verification v ORDER BY v.pass DESC LIMIT 1`,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    startedAt: Number(row.started_at),
    endedAt: row.ended_at === null ? null : Number(row.ended_at),
    compared: Number(row.compared),
    differences: await countDifferences(control, { pass: row.pass }),
    standing: row.standing,
  };
}
