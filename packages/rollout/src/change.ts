import { WherryError } from '@wherry/core';
import { audit, controlError, nextSeq, transaction, type Database, type Transaction } from '@wherry/core/control';
import { ROLLOUT_COLUMNS, ROLLOUT_TOPIC, plainPhase, rolloutOf, type Rollout, type RolloutRow } from './rollout.ts';

/** Who changes the rollout, and why. */
export interface RolloutAct {
  /** The operator's name, or the component's, for the audit log. */
  readonly actor: string;
  /** Why, for the audit log. */
  readonly reason?: string;
}

/** Who moves the rollout, and from where. */
export interface RolloutMove extends RolloutAct {
  /** The version that whoever decides has seen; another one by now: `conflict`. */
  readonly expectedVersion: number;
}

/** What a change makes of the rollout. */
export interface RolloutChange {
  /** For the audit log, e.g. `rollout.advance`. */
  readonly action: string;
  readonly next: Rollout;
  /** True when figures gathered before say nothing of what comes: another phase, share, hold-out or settling. */
  readonly newCourse: boolean;
  /** More for the audit log. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Changes the rollout by compare-and-set, wakes those who follow it, and leaves an entry in the audit log, all or
 * nothing. `decide` runs under the lock of the row; what it throws undoes all. Answers the new state. Errors: `conflict`,
 * `bad_request` for a name or reason that is no text, `control_unavailable`, and those of `decide`.
 */
export async function changeRollout(
  database: Database,
  act: RolloutAct & { readonly expectedVersion?: number },
  decide: (current: Rollout, tx: Transaction) => RolloutChange | Promise<RolloutChange>,
): Promise<Rollout> {
  checkAct(act);
  try {
    return await transaction(database, (tx) => changed(tx, act, decide));
  } catch (error) {
    throw controlError(error);
  }
}

/** Refuses what the audit log cannot keep, before anything is tried. Errors: `bad_request`. */
export function checkAct({ actor, reason = '' }: RolloutAct): void {
  for (const [name, text, longest] of [['actor', actor, 256] as const, ['reason', reason, 4000] as const])
    if (text.length > longest || text.includes('\0') || !text.isWellFormed())
      throw new WherryError('bad_request', `the ${name} is text of at most ${longest} characters`);
}

/** Reads the rollout under its row's lock, which is held to the commit. */
export async function lockRollout(tx: Transaction): Promise<Rollout> {
  const { rows } = await tx.query<RolloutRow>(`SELECT ${ROLLOUT_COLUMNS} FROM rollout WHERE id = 1 FOR UPDATE`);
  return rolloutOf(rows[0]);
}

async function changed(
  tx: Transaction,
  { actor, reason, expectedVersion }: RolloutAct & { readonly expectedVersion?: number },
  decide: (current: Rollout, tx: Transaction) => RolloutChange | Promise<RolloutChange>,
): Promise<Rollout> {
  const current = await lockRollout(tx);
  if (expectedVersion !== undefined && current.version !== expectedVersion) {
    throw new WherryError('conflict', `the rollout is at version ${current.version}, not ${expectedVersion}: somebody moved it`, {
      data: { version: current.version, expectedVersion },
    });
  }
  const { action, next, newCourse, details } = await decide(current, tx);
  await audit(tx, {
    actor,
    action,
    ...(reason === undefined ? {} : { reason }),
    details: { from: plainPhase(current), to: plainPhase(next), version: current.version + 1, ...details },
  });
  const seq = await nextSeq(tx, ROLLOUT_TOPIC);
  const written = await tx.query<RolloutRow>(
    `UPDATE rollout SET version = version + 1, seq = $1, phase = $2, percent = $3, settled = $4, retreating = $5,
       paused = jsonb_set($6::jsonb, '{at}', to_jsonb(coalesce(nullif(($6::jsonb->>'at')::bigint, 0), wherry_now()))), hold_out = $7, quiet_ms = $8, limits = $9,
       course = CASE WHEN $10 THEN version + 1 ELSE course END, changed_at = CASE WHEN $10 THEN wherry_now() ELSE changed_at END
     WHERE id = 1 RETURNING ${ROLLOUT_COLUMNS}`,
    [
      seq,
      next.phase,
      next.phase === 'led' ? next.percent : null,
      next.settled,
      next.retreating,
      next.paused === null ? null : JSON.stringify(next.paused),
      next.holdOut,
      next.quietMs,
      JSON.stringify(next.limits),
      newCourse,
    ],
  );
  return rolloutOf(written.rows[0]);
}
