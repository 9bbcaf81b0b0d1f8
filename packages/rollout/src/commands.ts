import { WherryError } from '@wherry/core';
import { audit, controlError, nextSeq, transaction, type Database, type Queryable, type Transaction } from '@wherry/core/control';
import { transition, type RolloutCommand, type RolloutPhase } from './phase.ts';
import { ROLLOUT_COLUMNS, ROLLOUT_TOPIC, rolloutOf, type Rollout, type RolloutRow } from './rollout.ts';

/** Who moves the rollout, and from where. */
export interface RolloutMove {
  /** The version that the operator saw; another one by now: `conflict`. */
  readonly expectedVersion: number;
  /** The operator's name, for the audit log. */
  readonly actor: string;
  /** Why, for the audit log. */
  readonly reason?: string;
}

/** Goes to the next phase; `percent` for the move into `led`, default 1. Errors as {@link moveRollout}. */
export function advance(database: Database, move: RolloutMove, percent?: number): Promise<Rollout> {
  return moveRollout(database, { command: 'advance', ...(percent === undefined ? {} : { percent }) }, move);
}

/** Goes back to the phase before. Signs nobody out: only issuance changes. Errors as {@link moveRollout}. */
export function rollback(database: Database, move: RolloutMove): Promise<Rollout> {
  return moveRollout(database, { command: 'rollback' }, move);
}

/** Leads another share of the users, 0 … 100 in steps of 0.01. Errors as {@link moveRollout}. */
export function setPercent(database: Database, move: RolloutMove, percent: number): Promise<Rollout> {
  return moveRollout(database, { command: 'set-percent', percent }, move);
}

/**
 * Moves the rollout, wakes those who follow it, and leaves an entry in the audit log, all or nothing. Answers the new
 * state. A lost connection leaves open whether it happened: read the version again before a repeat. Errors: `conflict`
 * when the version is not the expected one, `rollout_move_invalid` when there is no such move, `control_unavailable`.
 */
export async function moveRollout(database: Database, command: RolloutCommand, move: RolloutMove): Promise<Rollout> {
  try {
    return await transaction(database, (tx) => moved(tx, command, move));
  } catch (error) {
    throw controlError(error);
  }
}

async function moved(tx: Transaction, command: RolloutCommand, { expectedVersion, actor, reason }: RolloutMove): Promise<Rollout> {
  const { rows } = await tx.query<RolloutRow>(`SELECT ${ROLLOUT_COLUMNS} FROM rollout WHERE id = 1 FOR UPDATE`);
  const current = rolloutOf(rows[0]);
  if (current.version !== expectedVersion) {
    throw new WherryError('conflict', `the rollout is at version ${current.version}, not ${expectedVersion}: somebody moved it`, {
      data: { version: current.version, expectedVersion },
    });
  }
  const outcome = transition(current, command);
  if (!outcome.ok)
    throw new WherryError('rollout_move_invalid', outcome.message, { data: { refusal: outcome.refusal, phase: current.phase } });
  const { next } = outcome;
  await audit(tx, {
    actor,
    action: `rollout.${command.command}`,
    ...(reason === undefined ? {} : { reason }),
    details: { from: plain(current), to: plain(next), version: current.version + 1 },
  });
  const seq = await nextSeq(tx, ROLLOUT_TOPIC);
  const changed = await tx.query<RolloutRow>(
    `UPDATE rollout SET version = version + 1, phase = $2, percent = $3, changed_at = wherry_now(), seq = $4
     WHERE id = 1 AND version = $1 RETURNING ${ROLLOUT_COLUMNS}`,
    [expectedVersion, next.phase, next.phase === 'led' ? next.percent : null, seq],
  );
  return rolloutOf(changed.rows[0]);
}

/** One move of the past. */
export interface RolloutHistoryEntry {
  /** Epoch milliseconds by the control database. */
  readonly at: number;
  readonly actor: string;
  /** E.g. `rollout.advance`. */
  readonly action: string;
  readonly reason: string | null;
  readonly from: RolloutPhase;
  readonly to: RolloutPhase;
  /** The version that the move made. */
  readonly version: number;
}

/** The last moves, newest first. Errors: `control_unavailable`. */
export async function rolloutHistory(database: Queryable, limit = 50): Promise<readonly RolloutHistoryEntry[]> {
  try {
    const { rows } = await database.query<HistoryRow>(
      `SELECT at, actor, action, reason, details FROM audit WHERE action LIKE 'rollout.%' ORDER BY id DESC LIMIT $1`,
      [limit],
    );
    return rows.map(({ at, details, ...entry }) => ({ ...entry, at: Number(at), ...details }));
  } catch (error) {
    throw controlError(error);
  }
}

interface HistoryRow {
  readonly at: bigint;
  readonly actor: string;
  readonly action: string;
  readonly reason: string | null;
  readonly details: { readonly from: RolloutPhase; readonly to: RolloutPhase; readonly version: number };
}

function plain(state: RolloutPhase): RolloutPhase {
  return state.phase === 'led' ? { phase: state.phase, percent: state.percent } : { phase: state.phase };
}
