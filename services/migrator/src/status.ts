import type { Queryable } from '@wherry/core/control';
import {
  lastDifferences,
  newestVerification,
  readCapture,
  readMigration,
  viewParts,
  type CaptureView,
  type MigrationStep,
  type VerificationView,
} from '@wherry/migration';
import { shadowCounts, type ShadowCounts } from '@wherry/sessions';
import { workStatus, type WorkStatus } from './work-status.ts';

/** Where the migration stands, as plain values. Times in epoch ms. */
export interface MigrationStatus {
  readonly step: MigrationStep;
  readonly goal: 'source' | 'target';
  readonly goalPercent: number;
  readonly paused: boolean;
  readonly rate: number;
  /** Sessions read and written at a time; 0: as each process is configured. */
  readonly batch: number;
  /** An operator wants an end, which is not reached yet; and when it was. */
  readonly aborting: boolean;
  readonly abortedAt: number | null;
  /** How the copy or the comparison is shared out, and how far it is. */
  readonly work: WorkStatus;
  readonly verifiedSince: number | null;
  /** When an operator last asked for a verification. */
  readonly verifyAskedAt: number | null;
  readonly slots: readonly { readonly shard: number; readonly side: string; readonly state: string; readonly count: number }[];
  readonly repairs: number;
  readonly undrainedEnds: number;
  readonly deadLetters: { readonly undecided: number; readonly abandoned: number };
  /** The newest verification, under way or ended; null before the first. */
  readonly verification: VerificationView | null;
  /** The last one that had found something; passes follow until one finds nothing. */
  readonly lastDifferences: Pick<VerificationView, 'startedAt' | 'differences'> | null;
  readonly shadow: ShadowCounts;
  /** What is written past us, and how far behind the target is with it; null: nothing was ever captured. */
  readonly capture: CaptureView | null;
  readonly instances: readonly { readonly role: string; readonly state: string; readonly count: number }[];
}

/** Reads it from the control database. */
export async function migrationStatus(control: Queryable): Promise<MigrationStatus> {
  const { step, goal, goalPercent, paused, rate, batch, aborting, abortedAt, verifiedSince, verifyAskedAt } = await readMigration(control);
  const [parts, slots, repairs, ends, letters, verification, found, shadow, capture, instances] = await Promise.all([
    viewParts(control),
    control.query<{ shard: number; side: string; state: string; count: number }>(
      'SELECT shard, primary_side AS side, state, count(*)::int AS count FROM slot_map GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    ),
    control.query<{ count: number }>('SELECT count(*)::int AS count FROM repair_entry'),
    control.query<{ count: number }>('SELECT count(*)::int AS count FROM revocation WHERE NOT drained'),
    control.query<{ undecided: number; abandoned: number }>(
      'SELECT count(*) FILTER (WHERE decision IS NULL)::int AS undecided, count(decision)::int AS abandoned FROM dead_letter',
    ),
    newestVerification(control),
    lastDifferences(control),
    shadowCounts(control),
    readCapture(control),
    control.query<{ role: string; state: string; count: number }>(
      `SELECT role, CASE WHEN state = 'live' AND lease_until <= wherry_now() THEN 'lapsed' ELSE state END AS state, count(*)::int AS count
       FROM instance GROUP BY 1, 2 ORDER BY 1, 2`,
    ),
  ]);
  return {
    step,
    goal,
    goalPercent,
    paused,
    rate,
    batch,
    aborting,
    abortedAt,
    work: workStatus(parts),
    verifiedSince,
    verifyAskedAt,
    slots: slots.rows,
    repairs: repairs.rows[0]?.count ?? 0,
    undrainedEnds: ends.rows[0]?.count ?? 0,
    deadLetters: letters.rows[0] ?? { undecided: 0, abandoned: 0 },
    verification: verification ?? null,
    lastDifferences: found ?? null,
    capture: capture ?? null,
    shadow,
    instances: instances.rows,
  };
}
