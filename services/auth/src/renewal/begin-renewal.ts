import { WherryError } from '@wherry/core';
import type { BegunFamily, FamilyMode } from '@wherry/renewal';
import type { RolloutPolicy } from '@wherry/rollout';
import type { RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import type { TokenSubject } from '../subject.ts';
import { refreshTokenText, termsText, type RenewalTerms } from './refresh-token-text.ts';

/** A renewal credential as it is answered. */
export interface RenewalGrant {
  /** A secret: never log it. */
  readonly credential: string;
  /** Seconds in which it has to be used. */
  readonly expiresIn: number;
}

/** Of which session, and for whom. */
export interface RenewalBeginning {
  readonly subject: Pick<TokenSubject, 'key' | 'userId' | 'generation' | 'createTime' | 'legacy'>;
  readonly clientId: string;
  /** The family that the access tokens which come with it name already; default a new one. */
  readonly familyId?: bigint | undefined;
  /** What each renewal has to prove: see `bindingOf`. */
  readonly boundTo?: string | undefined;
  readonly terms?: RenewalTerms;
}

/** Begins a family of renewals. The caller has asked the policy. Errors: `shard_unavailable`, `slot_not_owned`. */
export async function beginRenewal(context: AuthContext, beginning: RenewalBeginning): Promise<RenewalGrant> {
  const { family, until } = await begin(context, beginning, 'credential');
  return { credential: refreshTokenText(family.credential, termsText(beginning.terms ?? {})), expiresIn: secondsLeft(context, until) };
}

/** Whether the access tokens of a client are to be renewed by themselves. */
export function renewsByItself(
  { renewal }: Pick<AuthContext, 'renewal'>,
  client: RegisteredClient,
  { issueRenewals }: RolloutPolicy,
): boolean {
  return renewal.maxBearerRenewals > 0 && issueRenewals && client.grants.has('expired-access-token');
}

/** What an access token says that is renewed by itself. */
export interface BearerRenewalClaims {
  readonly jti: string;
  readonly familyId: bigint;
}

/** Begins a family whose credential is the `jti` of its access token; that carries its terms itself. Errors: as {@link beginRenewal}. */
export async function beginBearerRenewal(
  context: AuthContext,
  beginning: Omit<RenewalBeginning, 'terms' | 'familyId'>,
): Promise<BearerRenewalClaims> {
  const { credential: jti, id: familyId } = (await begin(context, beginning, 'bearer')).family;
  return { jti, familyId };
}

async function begin(
  context: AuthContext,
  { subject, clientId, familyId, boundTo }: RenewalBeginning,
  mode: FamilyMode,
): Promise<{ readonly family: BegunFamily; readonly until: number }> {
  const { key, userId, generation, createTime, legacy } = subject;
  // As long as the session lives untouched, and a token beside: the last one of a session that is used to its end can still be renewed.
  const idleMs = (legacy?.idleMs ?? context.idleMs) + context.tokenLifeMs;
  // A carried-over session ends when its application says so; it is asked at every renewal.
  const absoluteExpiry = legacy === undefined ? createTime + context.absoluteMs : null;
  const family = await context.families.begin({
    sessionId: key.id,
    mode,
    userId,
    clientId,
    generation,
    idleMs,
    absoluteExpiry,
    ...(familyId === undefined ? {} : { id: familyId }),
    ...(boundTo === undefined ? {} : { boundTo }),
  });
  return { family, until: Math.min(context.now() + idleMs, absoluteExpiry ?? Infinity) };
}

/** Whole seconds until a moment (epoch ms), at least 0. */
export function secondsLeft({ now }: Pick<AuthContext, 'now'>, until: number): number {
  return Math.max(0, Math.floor((until - now()) / 1000));
}

/**
 * Refuses where an instance that has lost its lease would have to give out what outlives it: nobody waits for it any more, so
 * the phase that it knows may be over. Errors: `lease_lost`.
 */
export function requireLease({ issueSessions, issueRenewals, issueJwts }: RolloutPolicy): void {
  if (!issueSessions && !issueRenewals)
    throw new WherryError('lease_lost', `this instance is cut off, and ${issueJwts ? 'begins nothing' : 'gives out nothing'}`, {
      retryAfter: 1,
    });
}
