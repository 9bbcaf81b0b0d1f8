import { isWherryError, type WherryError } from '@wherry/core';
import type { Renewal } from '@wherry/renewal';
import type { AuthContext } from '../context.ts';

/**
 * Counts what became of a renewal, for the guardrails. That a session has ended, or has not been used for too long, is no
 * failure. It is one, and none of the user's making, where a refresh token comes again that was used, and where a session is not
 * there that was used when its family was. In the source one may be gone because its user has logged out there: that tells nothing.
 */
export function noteRefusal(
  { rolloutSide, runtime, legacy, now, tokenLifeMs }: AuthContext,
  renewal: Renewal,
  refused: WherryError | undefined,
): void {
  if (renewal.outcome === 'unknown') return;
  const { userId, clientId, idleExpiry, slot } = renewal.family;
  if (renewal.outcome === 'reused') {
    if (renewal.first) rolloutSide.renewed(userId, clientId, 'forced');
    return;
  }
  // A family outlives its session by the life of a token.
  const isOurs = legacy === undefined || runtime.slots.entry(slot).side === 'target';
  const sessionShouldLive = isOurs && now() < idleExpiry - tokenLifeMs;
  if (renewal.outcome === 'generation_old' && isWherryError(refused, 'session_unknown') && sessionShouldLive)
    rolloutSide.renewed(userId, clientId, 'forced');
}
