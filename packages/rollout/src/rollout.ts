import { WherryError } from '@wherry/core';
import { controlError, type Queryable, type SchemaPart } from '@wherry/core/control';
import type { GuardrailLimits, GuardrailName } from './guardrails.ts';
import type { RolloutPhase } from './phase.ts';
import type { RolloutCourse } from './policy.ts';

/** What holds the rollout: nothing widens until somebody resumes it; the way back is open. */
export interface RolloutPause {
  readonly by: 'operator' | 'guard';
  readonly actor: string;
  readonly reason: string | null;
  /** Epoch milliseconds by the control database. */
  readonly at: number;
  /** The course that was held: a stop by the guard counts for no other one. */
  readonly course: number;
  /** The guardrails that were breached, where the guard holds it. */
  readonly guardrails: readonly GuardrailName[];
}

/** The rollout as it stands in the control database. */
export type Rollout = RolloutCourse & {
  /** Rises by one with each change; what a change is compared with. */
  readonly version: number;
  /** The version at which phase, share, hold-out or settling last changed: figures are gathered by it. */
  readonly course: number;
  /** Divides the users into cohorts; drawn once. */
  readonly salt: string;
  /** Share of the users held out to compare with, in percent. */
  readonly holdOut: number;
  readonly paused: RolloutPause | null;
  /** Limits of the guardrails that differ from the defaults. */
  readonly limits: Partial<GuardrailLimits>;
  /** When the course began, epoch milliseconds by the control database. */
  readonly changedAt: number;
  /** Sequence number in the topic `rollout` of the feed. */
  readonly seq: bigint;
};

/** The tables of this package in the control database. Apply after those of core. */
export const rolloutSchema: SchemaPart = { part: 'rollout', folder: new URL('../sql/control/', import.meta.url) };

/** The topic of the control feed. */
export const ROLLOUT_TOPIC = 'rollout';

/** The columns that {@link rolloutOf} reads. */
export const ROLLOUT_COLUMNS = `version, course, phase, percent::float8 AS percent, settled, retreating, paused,
  hold_out::float8 AS hold_out, quiet_ms, limits, salt, changed_at, seq`;

/** A row with {@link ROLLOUT_COLUMNS}. */
export interface RolloutRow {
  readonly version: bigint;
  readonly course: bigint;
  readonly phase: string;
  readonly percent: number | null;
  readonly settled: boolean;
  readonly retreating: boolean;
  readonly paused: RolloutPause | null;
  readonly hold_out: number;
  readonly quiet_ms: bigint;
  readonly limits: Partial<GuardrailLimits>;
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
  const { settled, retreating, paused, limits, salt, seq } = row;
  return {
    ...phaseOf(row),
    settled,
    retreating,
    quietMs: Number(row.quiet_ms),
    version: Number(row.version),
    course: Number(row.course),
    salt,
    holdOut: row.hold_out,
    paused,
    limits,
    changedAt: Number(row.changed_at),
    seq,
  };
}

/** The phase alone, as the audit log keeps it. */
export function plainPhase(state: RolloutPhase): RolloutPhase {
  return state.phase === 'led' ? { phase: state.phase, percent: state.percent } : { phase: state.phase };
}

function phaseOf({ phase, percent }: RolloutRow): RolloutPhase {
  switch (phase) {
    case 'stateful':
    case 'dual':
    case 'preferred':
    case 'drain':
    case 'retired':
      return { phase };
    case 'led':
      if (percent !== null) return { phase, percent };
  }
  throw new WherryError('internal', `the rollout is in a phase that this program does not know: ${phase}`);
}
