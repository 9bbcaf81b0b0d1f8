import { WherryError } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { requireAcknowledged } from './acknowledgement.ts';
import { changeRollout, type RolloutMove } from './change.ts';
import { transition, type RolloutCommand, type RolloutPhase } from './phase.ts';
import { narrows } from './policy.ts';
import { requireRetireProof, type RetireProof } from './retire.ts';
import type { Rollout } from './rollout.ts';

/** Goes to the next phase; `percent` for the move into `led`, default 1. Errors as {@link moveRollout}. */
export function advance(database: Database, move: RolloutMove, percent?: number): Promise<Rollout> {
  return moveRollout(database, { command: 'advance', ...(percent === undefined ? {} : { percent }) }, move);
}

/** Goes back to the phase before; signs nobody out. Errors as {@link moveRollout}. */
export function rollback(database: Database, move: RolloutMove): Promise<Rollout> {
  return moveRollout(database, { command: 'rollback' }, move);
}

/** Leads another share of the users, 0 … 100 in steps of 0.01. Errors as {@link moveRollout}. */
export function setPercent(database: Database, move: RolloutMove, percent: number): Promise<Rollout> {
  return moveRollout(database, { command: 'set-percent', percent }, move);
}

/**
 * Moves the rollout. A lost connection leaves open whether it happened: read the version again before a repeat. `proof`
 * is needed for the move into `retired` alone. Errors: `conflict` when the version is not the expected one;
 * `rollout_move_invalid` when there is no such move; `rollout_paused` for a move that widens while the rollout is held;
 * `rollout_unacknowledged` for one that narrows while a live instance does not act on the present state;
 * `retire_unproved`; `control_unavailable`.
 */
export function moveRollout(database: Database, command: RolloutCommand, move: RolloutMove, proof?: RetireProof): Promise<Rollout> {
  return changeRollout(database, move, async (current, tx) => {
    const outcome = transition(current, command);
    if (!outcome.ok)
      throw new WherryError('rollout_move_invalid', outcome.message, { data: { refusal: outcome.refusal, phase: current.phase } });
    const forward = isForward(current, command);
    if (forward && current.paused !== null)
      throw new WherryError('rollout_paused', `the rollout is held by ${current.paused.actor}: resume it first`);
    const next = entered(current, outcome.next, command);
    if (narrows(current, next)) await requireAcknowledged(tx, current);
    const retired = next.phase === 'retired' ? { evidence: await requireRetireProof(tx, current, proof) } : {};
    return { action: `rollout.${command.command}`, next, newCourse: true, details: retired };
  });
}

/** True for a move that leads more users, or leads them further. What takes a step back is never held up by a pause. */
function isForward(current: RolloutPhase, command: RolloutCommand): boolean {
  if (command.command === 'set-percent') return current.phase === 'led' && command.percent > current.percent;
  return command.command === 'advance';
}

/** The rollout as it enters `phase`. In `stateful` and `drain` the narrower half waits: see settle.ts. */
function entered(current: Rollout, phase: RolloutPhase, { command }: RolloutCommand): Rollout {
  const settled = phase.phase !== 'stateful' && phase.phase !== 'drain';
  const retreating = command === 'rollback' || (command === 'set-percent' && current.retreating);
  return { ...current, ...phase, settled, retreating };
}
