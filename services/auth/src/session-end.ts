import { WherryError, isWherryError } from '@wherry/core';
import { carriedSessionKey, siblingOf, type EndOutcome } from '@wherry/sessions';
import { slotOf } from '@wherry/shards';
import type { AuthContext } from './context.ts';
import { familyOfRows } from './renewal/sibling-session.ts';

/**
 * Ends the session of an id: carried over or born here, with all rows that stand for it. Repeatable: a repeat goes on where the first time stopped. Errors:
 * `control_unavailable`, `source_unavailable`, `shard_unavailable`, `slot_not_owned`.
 */
export async function endSessionById(context: AuthContext, id: bigint): Promise<EndOutcome> {
  const { target } = context.runtime;
  const row = await target.getById(slotOf(id), id);
  const root = (row.state === 'live' ? siblingOf(row.record) : undefined) ?? id;
  // First, so that none of the others is made any more: see `mintSibling`.
  const outcome = await endOne(context, root);
  if (row.state === 'live' && row.record.sourceRef !== null) return outcome;
  const outcomes = await Promise.all(familyOfRows(context, root).map(async (other) => endSibling(context, other)));
  return { propagated: [outcome, ...outcomes].every(({ propagated }) => propagated) };
}

/**
 * Ends another row of the session, if there is one. Where its shard does not answer, the record in control ends it for
 * every reader all the same: a log-out does not wait for a shard that its session does not lie on.
 */
async function endSibling(context: AuthContext, id: bigint): Promise<EndOutcome> {
  const { target, revocations } = context.runtime;
  const slot = slotOf(id);
  try {
    const { state } = await target.getById(slot, id);
    return state === 'live' ? await endOne(context, id) : { propagated: true };
  } catch (error) {
    if (!isWherryError(error, 'shard_unavailable')) throw error;
    const seq = await revocations.endSession({ slot, id, digest: Buffer.alloc(0), reason: 'logout' });
    return { propagated: await revocations.propagated(seq) };
  }
}

async function endOne(context: AuthContext, id: bigint): Promise<EndOutcome> {
  const { legacy } = context;
  const outcome = await (legacy === undefined ? endRow(context, id) : legacy.sessions.endById(slotOf(id), id, 'logout'));
  await endFamilies(context, id);
  return outcome;
}

/** Ends the session of a legacy id, which its bearer has proved. Absent, it is ended too: nothing that is still under way may save it again. Errors: as {@link endSessionById}, `session_unknown`. */
export async function endLegacySession(context: AuthContext, rawId: string): Promise<EndOutcome> {
  if (context.legacy === undefined) throw new WherryError('session_unknown', 'no sessions of another application are accepted here');
  const outcome = await context.legacy.sessions.end(rawId, 'logout');
  await endFamilies(context, carriedSessionKey(rawId).id);
  return outcome;
}

async function endRow({ runtime, now }: AuthContext, id: bigint): Promise<EndOutcome> {
  const slot = slotOf(id);
  const found = await runtime.target.getById(slot, id);
  const digest = found.state === 'live' ? found.record.key.digest : Buffer.alloc(0);
  const seq = await runtime.revocations.endSession({ slot, id, digest, reason: 'logout' });
  const propagated = runtime.revocations.propagated(seq);
  if (found.state === 'live') await runtime.target.end(found.record.key, now());
  await runtime.revocations.markDrained(id).catch(() => undefined);
  return { propagated: await propagated };
}

/** The session's end, which is durable by now, denies every renewal: the families are ended so that nobody waits for them. */
async function endFamilies({ families, log }: AuthContext, id: bigint): Promise<void> {
  await families.endOfSession(id).catch((error: unknown) => {
    log.warn('the families of a session that has ended stay until their time is over', { error });
  });
}
