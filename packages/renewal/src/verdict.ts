import { timingSafeEqual } from 'node:crypto';
import type { Family, FamilyEndReason, FamilyRow } from './family.ts';

/** What a renewal is judged by. Times in ms. */
export interface RenewalRules {
  /** Epoch ms. */
  readonly now: number;
  /** How long a repeated credential is answered with the very same successor. */
  readonly graceMs: number;
  /** How long a credential whose successor never arrived may get another one. */
  readonly windowMs: number;
  /** End of the access token that is presented itself (mode `bearer`), epoch ms. */
  readonly expiredAt?: number | undefined;
  /** Least generation of the user that is alive. */
  readonly minimumGeneration: number;
  /** Most successors of a family of mode `bearer`. */
  readonly maxBearerRenewals: number;
}

/**
 * What is to be done with a presented credential. `rotate`: it is the current one. `repeat`: it is the one before, its
 * successor was just made. `supersede`: the same, but the successor was made a while ago and never came back, so it is
 * replaced. `reuse`: an older or a superseded one.
 */
export type Verdict =
  | { readonly step: 'rotate' | 'supersede' | 'reuse' }
  | { readonly step: 'repeat'; readonly sealedSuccessor: Buffer }
  | { readonly step: 'ended'; readonly reason: FamilyEndReason }
  | { readonly step: 'expired' | 'generation_old' | 'capped' };

/**
 * Judges a credential of the family, of which `digest` is the digest. What belongs to the family was checked before.
 *
 * `previous` is there exactly while its successor was never presented: presenting that makes it the previous one itself.
 * A previous credential after the window is reuse, though nobody proved to have its successor: whoever rotated it may be
 * a thief who waits, and the one who presents it its owner, who could never tell otherwise.
 * Times that lie ahead, made under a clock that was ahead, count as now.
 */
export function verdictOf(row: FamilyRow, digest: Buffer, rules: RenewalRules): Verdict {
  const { family, previous, ended } = row;
  if (ended !== null) return { step: 'ended', reason: ended.reason };
  if (!isAlive(family, rules.now)) return { step: 'expired' };
  if (family.generation < rules.minimumGeneration) return { step: 'generation_old' };
  const isCurrent = timingSafeEqual(row.current, digest);
  const former = previous !== null && timingSafeEqual(previous.digest, digest) ? previous : undefined;
  if (!isCurrent && former === undefined) return { step: 'reuse' };
  if (rules.expiredAt !== undefined && rules.now - rules.expiredAt > rules.windowMs) return { step: 'expired' };
  const capped = family.mode === 'bearer' && family.renewals >= rules.maxBearerRenewals;
  if (former === undefined) return { step: capped ? 'capped' : 'rotate' };
  if (rules.now - former.successorAt <= rules.graceMs) return { step: 'repeat', sealedSuccessor: former.sealedSuccessor };
  if (rules.now - former.rotatedAt > rules.windowMs) return { step: 'reuse' };
  return { step: capped ? 'capped' : 'supersede' };
}

/** True before either cap. */
function isAlive({ idleExpiry, absoluteExpiry }: Pick<Family, 'idleExpiry' | 'absoluteExpiry'>, now: number): boolean {
  return now < idleExpiry && (absoluteExpiry === null || now < absoluteExpiry);
}
