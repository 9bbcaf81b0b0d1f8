import { WherryError } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { changeRollout, type RolloutAct, type RolloutMove } from './change.ts';
import type { GuardrailName } from './guardrails.ts';
import type { Rollout } from './rollout.ts';

/**
 * Holds the rollout: until somebody resumes it no move widens, by hand or by itself, and nothing more is refused. Moves
 * back stay open to operators, and the guard still rolls back: a pause is for safety, and so are they. Errors:
 * `conflict`, `rollout_paused` when it is held already, `control_unavailable`.
 */
export function pauseRollout(database: Database, act: RolloutAct & Partial<RolloutMove>): Promise<Rollout> {
  return changeRollout(database, act, (current) => {
    if (current.paused !== null) throw new WherryError('rollout_paused', `the rollout is held by ${current.paused.actor} already`);
    return { action: 'rollout.pause', next: held(current, act, 'operator', []), newCourse: false };
  });
}

/** Lets the rollout go on. Errors: `conflict`, `rollout_move_invalid` when nothing holds it, `control_unavailable`. */
export function resumeRollout(database: Database, act: RolloutAct & Partial<RolloutMove>): Promise<Rollout> {
  return changeRollout(database, act, (current) => {
    if (current.paused === null) throw new WherryError('rollout_move_invalid', 'nothing holds the rollout');
    return { action: 'rollout.resume', next: { ...current, paused: null }, newCourse: false };
  });
}

/** Holds the rollout for breached guardrails, over an operator's pause too: what is confirmed next is this course's. Errors as {@link pauseRollout}. */
export function stopRollout(
  database: Database,
  move: RolloutMove,
  guardrails: readonly GuardrailName[],
  figures: unknown,
): Promise<Rollout> {
  return changeRollout(database, move, (current) => ({
    action: 'rollout.stop',
    next: held(current, move, 'guard', guardrails),
    newCourse: false,
    details: { figures },
  }));
}

/** `at` 0 is filled in by the database's clock. */
function held(current: Rollout, { actor, reason }: RolloutAct, by: 'operator' | 'guard', guardrails: readonly GuardrailName[]): Rollout {
  return { ...current, paused: { by, actor, reason: reason ?? null, at: 0, course: current.course, guardrails } };
}
