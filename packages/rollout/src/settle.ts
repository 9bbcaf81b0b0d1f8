import { WherryError } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { requireAcknowledged } from './acknowledgement.ts';
import { changeRollout, type RolloutMove } from './change.ts';
import { readRollout, type Rollout } from './rollout.ts';

/** True when any family of renewals lives. Rejects when it cannot know. */
export type FamiliesAlive = () => Promise<boolean>;

/**
 * Puts the narrower half of the present phase in force. Two phases are entered in two steps.
 *
 * `drain`: narrow issuance before acceptance. With the phase instances cease to give out session tokens; only when all have
 * ceased does one refuse any. So none refuses what its neighbour gives out, and the settling dates the last session token that there is:
 * one session life later they have all ended, which is what `retired` rests on. Before the step every live instance acted
 * on `preferred`, so each one gives access tokens for session tokens: what is refused is always exchangeable.
 *
 * `stateful`: with the phase instances cease to begin families. Verification and renewal go on, and each renewal gives a session
 * token as well. When all have ceased and no family lives, nothing stateless is left, and the phase is reached. The
 * order matters: families are asked for after the acknowledgements, for an instance that has not heard of it may begin
 * one until then. One that is begun by a request older than the acknowledgement is renewed all the same: renewal is on in every phase.
 *
 * Errors: `conflict`, `rollout_move_invalid` when there is nothing to settle, `rollout_paused` when it would narrow what is
 * accepted while the rollout is held, `rollout_unacknowledged`, `rollout_families_alive`, `control_unavailable`.
 */
export async function settleRollout(database: Database, move: RolloutMove, familiesAlive?: FamiliesAlive): Promise<Rollout> {
  const seen = await readRollout(database);
  if (seen.version === move.expectedVersion && !seen.settled && seen.phase === 'stateful') {
    await requireAcknowledged(database, seen);
    // Asked outside the transaction: the shards may be slow, and the version says that nothing was moved meanwhile.
    if (familiesAlive === undefined)
      throw new WherryError(
        'rollout_families_alive',
        'it is not known here whether a family of renewals lives; the guard of a service knows',
      );
    if (await familiesAlive())
      throw new WherryError('rollout_families_alive', 'a family of renewals still lives; stateful is reached when none does');
  }
  return changeRollout(database, move, async (current, tx) => {
    if (current.settled) throw new WherryError('rollout_move_invalid', `the phase ${current.phase} is settled already`);
    // The way back to stateful is not held up by a pause, like every step back.
    if (current.paused !== null && current.phase === 'drain')
      throw new WherryError('rollout_paused', `the rollout is held by ${current.paused.actor}: resume it first`);
    await requireAcknowledged(tx, current);
    return { action: 'rollout.settle', next: { ...current, settled: true, retreating: false }, newCourse: true };
  });
}
