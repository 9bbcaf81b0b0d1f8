import { isWherryError } from '@wherry/core';
import type { CarriedSessions, SessionRuntime } from '@wherry/sessions';
import { slotOf } from '@wherry/shards';
import type { Caller } from './caller.ts';
import { refusal, refusalOf, type Outcome, type Refusal } from './outcome.ts';

/** What decides about a token without news of revocations. */
export interface StaleTokenOptions {
  readonly runtime: SessionRuntime;
  readonly carried: CarriedSessions | undefined;
}

/**
 * Judges a token whose signature holds while this instance is cut off from the revocations. Whoever ends a session
 * writes that to its row as well, before it is acknowledged; so the row decides. Each request reads anew: an answer
 * from a moment ago says nothing of an end since. Where there is no row to ask, nobody can know: 503.
 */
export async function judgeStaleToken(caller: Caller, { runtime, carried }: StaleTokenOptions): Promise<Outcome> {
  const id = caller.sessionId;
  if (id === undefined) return refusal('jwt', 'revocations_stale');
  try {
    const slot = slotOf(id);
    const read = await runtime.target.getById(slot, id);
    const sourceIsPrimary = runtime.slots.entry(slot).side === 'source';
    switch (read.state) {
      case 'ended':
        return refusal('jwt', 'token_session_ended');
      case 'absent':
        return sourceIsPrimary ? refusal('jwt', 'revocations_stale') : refusal('jwt', 'token_session_ended');
      case 'live':
    }
    const { record } = read;
    // With a signing key that was stolen, any living session could be named for any user.
    if (record.userId !== caller.principal.userId) return refusal('jwt', 'token_session_ended');
    if (caller.generation < record.userGeneration) return refusal('jwt', 'token_generation_old');
    if (sourceIsPrimary && record.sourceRef !== null) {
      // The target may not have heard of the end yet, and not of the last touch either: the source has.
      if (carried === undefined) return refusal('jwt', 'revocations_stale');
      const found = await carried.read(runtime.refs.open(record.key, record.sourceRef));
      if (found.state === 'undecodable') return refusal('jwt', 'revocations_stale');
      return found.state === 'live' ? (changed(caller, found) ?? caller) : refusal('jwt', 'token_session_ended');
    }
    const over = record.expireTime !== null && record.expireTime <= runtime.now();
    return over ? refusal('jwt', 'token_session_ended') : (changed(caller, record) ?? caller);
  } catch (error) {
    if (!isWherryError(error)) throw error;
    return error.status === 503 ? refusalOf('jwt', error) : refusal('jwt', 'revocations_stale');
  }
}

/** A token may say less than its session: it was narrowed, or is of before a gain. It may not say more, or be another's. */
function changed(
  { principal }: Caller,
  session: { readonly userId: string | null; readonly authorities: readonly string[] },
): Refusal | undefined {
  const within = principal.authorities.every((authority) => session.authorities.includes(authority));
  return session.userId === principal.userId && within ? undefined : refusal('jwt', 'token_session_changed');
}
