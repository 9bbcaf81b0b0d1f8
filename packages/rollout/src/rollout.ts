import { WherryError } from '@wherry/core';
import { controlError, type Queryable, type SchemaPart } from '@wherry/core/control';
import type { RolloutPhase } from './phase.ts';

/** The rollout as it stands in the control database. */
export type Rollout = RolloutPhase & {
  /** Rises by one with each move; what a move is compared with. */
  readonly version: number;
  /** Divides the users into cohorts; drawn once. */
  readonly salt: string;
  /** When it came to be so, epoch milliseconds by the control database. */
  readonly changedAt: number;
  /** Sequence number in the topic `rollout` of the feed. */
  readonly seq: bigint;
};

/** The tables of this package in the control database. Apply after those of core. */
export const rolloutSchema: SchemaPart = { part: 'rollout', folder: new URL('../sql/control/', import.meta.url) };

/** The topic of the control feed. */
export const ROLLOUT_TOPIC = 'rollout';

/** The columns that {@link rolloutOf} reads. */
export const ROLLOUT_COLUMNS = 'version, phase, percent::float8 AS percent, salt, changed_at, seq';

/** A row with {@link ROLLOUT_COLUMNS}. */
export interface RolloutRow {
  readonly version: bigint;
  readonly phase: string;
  readonly percent: number | null;
  readonly salt: string;
  readonly changed_at: bigint;
  readonly seq: bigint;
}

/** Reads the rollout. Errors: `control_unavailable`. */
export async function readRollout(database: Queryable): Promise<Rollout> {
  try {
    const { rows } = await database.query<RolloutRow>(`SELECT ${ROLLOUT_COLUMNS} FROM rollout WHERE id = 1`);
    return rolloutOf(rows[0]);
  } catch (error) {
    throw controlError(error);
  }
}

/** The rollout in a row. A phase of a newer program is an error: what it asks for is not known here. */
export function rolloutOf(row: RolloutRow | undefined): Rollout {
  if (row === undefined) throw new WherryError('internal', 'the row of the rollout is missing');
  return { ...phaseOf(row), version: Number(row.version), salt: row.salt, changedAt: Number(row.changed_at), seq: row.seq };
}

function phaseOf({ phase, percent }: RolloutRow): RolloutPhase {
  if (phase === 'stateful' || phase === 'dual') return { phase };
  if (phase === 'led' && percent !== null) return { phase, percent };
  throw new WherryError('internal', `the rollout is in a phase that this program does not know: ${phase}`);
}
