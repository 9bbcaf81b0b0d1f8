import type { Queryable } from '@wherry/core/control';
import { readMigration, type MigrationStep } from '@wherry/migration';
import { shadowCounts, type ShadowCounts } from '@wherry/sessions';

/** Where the migration stands, as plain values. Times in epoch ms. */
export interface MigrationStatus {
  readonly step: MigrationStep;
  readonly goal: 'source' | 'target';
  readonly goalPercent: number;
  readonly paused: boolean;
  readonly rate: number;
  readonly verifiedSince: number | null;
  readonly slots: readonly { readonly shard: number; readonly side: string; readonly state: string; readonly count: number }[];
  readonly repairs: number;
  readonly undrainedEnds: number;
  readonly deadLetters: { readonly undecided: number; readonly abandoned: number };
  readonly differences: Readonly<Record<string, number>>;
  readonly shadow: ShadowCounts;
  readonly instances: readonly { readonly role: string; readonly state: string; readonly count: number }[];
}

/** Reads it from the control database. */
export async function migrationStatus(control: Queryable): Promise<MigrationStatus> {
  const { step, goal, goalPercent, paused, rate, verifiedSince } = await readMigration(control);
  const [slots, repairs, ends, letters, differences, shadow, instances] = await Promise.all([
    control.query<{ shard: number; side: string; state: string; count: number }>(
      'SELECT shard, primary_side AS side, state, count(*)::int AS count FROM slot_map GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    ),
    control.query<{ count: number }>('SELECT count(*)::int AS count FROM repair_entry'),
    control.query<{ count: number }>('SELECT count(*)::int AS count FROM revocation WHERE NOT drained'),
    control.query<{ undecided: number; abandoned: number }>(
      'SELECT count(*) FILTER (WHERE decision IS NULL)::int AS undecided, count(decision)::int AS abandoned FROM dead_letter',
    ),
    control.query<{ class: string; count: number }>('SELECT class, count(*)::int AS count FROM migration_difference GROUP BY 1'),
    shadowCounts(control),
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
    verifiedSince,
    slots: slots.rows,
    repairs: repairs.rows[0]?.count ?? 0,
    undrainedEnds: ends.rows[0]?.count ?? 0,
    deadLetters: letters.rows[0] ?? { undecided: 0, abandoned: 0 },
    differences: Object.fromEntries(differences.rows.map((row) => [row.class, row.count])),
    shadow,
    instances: instances.rows,
  };
}
