import { WherryError } from '@wherry/core';
import { requireAcknowledged } from './acknowledgement.ts';
import type { Queryable } from '@wherry/core/control';
import type { Rollout } from './rollout.ts';

/** What traffic says of session tokens. Epoch milliseconds by the control database. */
export interface RetireEvidence {
  /** When one was last used, refused uses included; null where none was seen since `observedSince`. */
  readonly lastSessionTokenUse: number | null;
  /** Since when every use that happened is surely in the report: no instance that judges credentials ran without reporting. */
  readonly observedSince: number;
  /** Live instances that judge credentials, and how many of them have reported within their reporting time. */
  readonly instancesLive: number;
  readonly instancesReporting: number;
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
export function mayRetire(evidence: RetireEvidence, absoluteMs: number, now: number): RetireVerdict {
  const { instancesLive, instancesReporting, observedSince, lastSessionTokenUse } = evidence;
  // Nobody reporting proves nothing: traffic may pass where nobody looks.
  if (instancesReporting < instancesLive || instancesReporting === 0) return { ok: false, reason: 'instances_silent', notBefore: null };
  if (!(now - observedSince >= absoluteMs)) return { ok: false, reason: 'observed_too_short', notBefore: observedSince + absoluteMs };
  if (lastSessionTokenUse !== null && !(now - lastSessionTokenUse >= absoluteMs))
    return { ok: false, reason: 'used_recently', notBefore: lastSessionTokenUse + absoluteMs };
  return { ok: true };
}

const WORDS = {
  instances_silent: 'not every live instance reports the use of session tokens',
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
  const { rows } = await database.query<{ now: bigint }>('SELECT wherry_now() AS now');
  const lastSessionTokenUse = Math.max(evidence.lastSessionTokenUse ?? rollout.changedAt, rollout.changedAt);
  const verdict = mayRetire({ ...evidence, lastSessionTokenUse }, proof.absoluteMs, Number(rows[0]?.now));
  if (verdict.ok) return evidence;
  const when = verdict.notBefore === null ? '' : `; not before ${new Date(verdict.notBefore).toISOString()}`;
  throw unproved(`${WORDS[verdict.reason]}${when}`, { reason: verdict.reason, notBefore: verdict.notBefore });
}
