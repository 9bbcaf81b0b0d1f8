import { controlError, type Queryable } from '@wherry/core/control';
import type { RolloutPhase } from './phase.ts';

/** One change of the past. */
export interface RolloutHistoryEntry {
  /** Epoch milliseconds by the control database. */
  readonly at: number;
  readonly actor: string;
  /** E.g. `rollout.advance`. */
  readonly action: string;
  readonly reason: string | null;
  readonly from: RolloutPhase;
  readonly to: RolloutPhase;
  /** The version that the change made. */
  readonly version: number;
  /** What the action adds: `figures` of a stop, `evidence` of a retirement, `settings`, `list`. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** The last changes, newest first. Errors: `control_unavailable`. */
export async function rolloutHistory(database: Queryable, limit = 50): Promise<readonly RolloutHistoryEntry[]> {
  try {
    const { rows } = await database.query<HistoryRow>(
      `SELECT at, actor, action, reason, details FROM audit WHERE action LIKE 'rollout.%' ORDER BY id DESC LIMIT $1`,
      [limit],
    );
    return rows.map(({ at, details: { from, to, version, ...details }, ...entry }) => ({
      ...entry,
      at: Number(at),
      from,
      to,
      version,
      details,
    }));
  } catch (error) {
    throw controlError(error);
  }
}

interface HistoryRow {
  readonly at: bigint;
  readonly actor: string;
  readonly action: string;
  readonly reason: string | null;
  readonly details: Readonly<Record<string, unknown>> & {
    readonly from: RolloutPhase;
    readonly to: RolloutPhase;
    readonly version: number;
  };
}
