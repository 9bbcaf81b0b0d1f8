import { WherryError } from '@wherry/core';
import { requireAcknowledged } from './acknowledgement.ts';
import type { Queryable } from '@wherry/core/control';
import type { Rollout } from './rollout.ts';

/** What traffic says of session credentials, tokens and cookies. Epoch milliseconds by the control database. `readObservedUse` reads it. */
export interface RetireEvidence {
  /** When one was last used, or may have been by all that is known, refused uses included; null: never. */
  readonly lastSessionUse: number | null;
  /** Up to when every process that can accept one has reported what it saw: the present where none lives. */
  readonly observedUntil: number;
  /** From when on every process that can accept one has reported, without a gap; null: none ever did. */
  readonly observedSince: number | null;
  /** Live processes that can accept one and do not report now: what they see is not known. */
  readonly silent: readonly string[];
}

/** What the move into `retired` rests on. */
export interface RetireProof {
  /** Reads the evidence, inside the transaction of the move. */
  readonly evidence: (database: Queryable) => Promise<RetireEvidence>;
  /** Longest life of a session, milliseconds. */
  readonly absoluteMs: number;
}

/** Whether `retired` may be entered, and if not, why and from when on it might (epoch milliseconds). */
export type RetireVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'instances_silent' | 'observed_too_short' | 'used_recently'; readonly notBefore: number | null };

/**
 * True when no session token was used for one whole session life, while everybody looked. A session token that was given
 * out before that life began has ended by itself; one given out later, and not used, is excluded by the phase: `drain` gives
 * out none, and {@link requireRetireProof} counts its beginning as a use. Pure.
 */
export function mayRetire(evidence: RetireEvidence, absoluteMs: number): RetireVerdict {
  const { silent, observedSince, observedUntil, lastSessionUse } = evidence;
  if (silent.length > 0) return { ok: false, reason: 'instances_silent', notBefore: null };
  // Nobody reporting proves nothing: traffic may pass where nobody looks.
  if (observedSince === null) return { ok: false, reason: 'observed_too_short', notBefore: null };
  if (!(observedUntil - observedSince >= absoluteMs))
    return { ok: false, reason: 'observed_too_short', notBefore: observedSince + absoluteMs };
  if (lastSessionUse !== null && !(observedUntil - lastSessionUse >= absoluteMs))
    return { ok: false, reason: 'used_recently', notBefore: lastSessionUse + absoluteMs };
  return { ok: true };
}

const WORDS = {
  instances_silent: 'not every live instance reports the use of sessions',
  observed_too_short: 'their use has not been observed for one whole session life',
  used_recently: 'one was used, or could still be given out, within one session life',
} as const;

/** The evidence on which `rollout` may be retired; every instance acts on a settled drain. Errors: `rollout_unacknowledged`, `retire_unproved`. */
export async function requireRetireProof(database: Queryable, rollout: Rollout, proof: RetireProof | undefined): Promise<RetireEvidence> {
  const unproved = (why: string, data = {}): WherryError =>
    new WherryError('retire_unproved', `it is not proved that session tokens are out of use: ${why}`, { data });
  if (!rollout.settled) throw unproved('the phase drain has not settled');
  await requireAcknowledged(database, rollout);
  if (proof === undefined) throw unproved('there is no report of their use');
  const evidence = await proof.evidence(database);
  const lastSessionUse = Math.max(evidence.lastSessionUse ?? rollout.changedAt, rollout.changedAt);
  const verdict = mayRetire({ ...evidence, lastSessionUse }, proof.absoluteMs);
  if (verdict.ok) return evidence;
  const when = verdict.notBefore === null ? '' : `; not before ${new Date(verdict.notBefore).toISOString()}`;
  const who = evidence.silent.length === 0 ? '' : `: ${evidence.silent.slice(0, 3).join(', ')}`;
  throw unproved(`${WORDS[verdict.reason]}${who}${when}`, { reason: verdict.reason, notBefore: verdict.notBefore });
}
