import { WherryError } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { requireAcknowledged } from './acknowledgement.ts';
import { changeRollout, type RolloutAct, type RolloutMove } from './change.ts';
import { checkLimits, type GuardrailLimits } from './guardrails.ts';
import { isPercent } from './phase.ts';
import { narrows } from './policy.ts';
import type { Rollout } from './rollout.ts';

/** What can be set of the rollout beside its phase. What is absent stays. */
export interface RolloutSettings {
  /** Share of the users held out to compare with, 0 … 50 % in steps of 0.01. */
  readonly holdOut?: number;
  /** How long a client must have used no session token before its own is refused, milliseconds. */
  readonly quietMs?: number;
  /** Limits of the guardrails; those named replace those in force. */
  readonly limits?: Partial<GuardrailLimits>;
}

const MOST_HOLD_OUT = 50;
const MOST_QUIET_MS = 3650 * 24 * 3600 * 1000;

/**
 * Changes settings. Less patience in `drain` narrows what is accepted, so it waits like a move. Errors: `bad_request` for a
 * value that is not allowed or for none at all, `conflict`, `rollout_unacknowledged`, `control_unavailable`.
 */
export async function changeRolloutSettings(
  database: Database,
  settings: RolloutSettings,
  act: RolloutAct & Partial<RolloutMove>,
): Promise<Rollout> {
  const { holdOut, quietMs, limits } = settings;
  if (holdOut === undefined && quietMs === undefined && limits === undefined)
    throw new WherryError('bad_request', 'nothing is named that is to be set: a hold-out, a quiet time, or a limit');
  if (holdOut !== undefined && !(isPercent(holdOut) && holdOut <= MOST_HOLD_OUT))
    throw new WherryError('bad_request', `the hold-out is ${holdOut}; allowed is 0 to ${MOST_HOLD_OUT} percent in steps of 0.01`);
  if (quietMs !== undefined && !(Number.isSafeInteger(quietMs) && quietMs >= 0 && quietMs <= MOST_QUIET_MS))
    throw new WherryError('bad_request', `the quiet time is ${quietMs} ms; allowed is 0 to ten years`);
  if (limits !== undefined) checkLimits(limits);
  return changeRollout(database, act, async (current, tx) => {
    const next: Rollout = {
      ...current,
      holdOut: holdOut ?? current.holdOut,
      quietMs: quietMs ?? current.quietMs,
      limits: { ...current.limits, ...limits },
    };
    if (narrows(current, next)) await requireAcknowledged(tx, current);
    return { action: 'rollout.settings', next, newCourse: next.holdOut !== current.holdOut, details: { settings } };
  });
}
