import { WherryError } from '@wherry/core';
import { sessionIdText, type SessionRecord } from '@wherry/sessions';
import { slotOf } from '@wherry/shards';
import type { AuthContext } from '../context.ts';
import { after, sessionOfLegacyId, subjectOfRecord, type TokenSubject } from '../subject.ts';

/** A live session that was found by its id. */
export interface FoundSession {
  readonly subject: TokenSubject;
  /** Its row, of which only what never changes may be believed where the source is the primary side. */
  readonly record: SessionRecord;
}

/**
 * The session of an id that a credential of ours names, read from its primary side. Errors: `session_unknown`,
 * `session_ended`, `session_anonymous`, `session_undecodable`, `user_disabled`; `shard_unavailable`, `slot_not_owned`, `source_unavailable`.
 */
export async function sessionById(context: AuthContext, id: bigint): Promise<FoundSession> {
  const { runtime, legacy } = context;
  const readAt = after(runtime.ended.sessionTokensNotBefore(sessionIdText(id)), context.now());
  const row = await runtime.target.getById(slotOf(id), id);
  // Asked after the reading: a log-out in between is seen by one of the two.
  if (row.state === 'ended' || runtime.ended.isSessionEnded(sessionIdText(id)))
    throw new WherryError('session_ended', 'the session was ended');
  // Whoever is given such a credential has his session in the target before; tombstones stay there for long.
  if (row.state === 'absent') throw new WherryError('session_unknown', 'there is no such session');
  const { record } = row;
  const { sourceRef, key } = record;
  if (sourceRef === null) return { subject: subjectOfRecord(context, record, readAt), record };
  if (legacy !== undefined) {
    const subject = await sessionOfLegacyId(context, runtime.refs.open(key, sourceRef));
    return { subject: { ...subject, createTime: Math.min(record.createTime, readAt) }, record };
  }
  // The row is a copy until its slot has changed sides.
  if (runtime.slots.entry(key.slot).side === 'source')
    throw new WherryError('source_unavailable', 'the session is kept by a source that this instance is not told of');
  return { subject: subjectOfRecord(context, record, readAt), record };
}
