import { WherryError, isWherryError } from '@wherry/core';
import { carriedSessionKey, sessionIdText, type SessionKey, type SessionRecord } from '../record.ts';
import type { DecodedSession } from '../source/decoder.ts';
import type { CarriedContext, SlotPassage } from './context.ts';
import { explicitGeneration, stampGeneration } from './generation.ts';
import { inItsSlot } from './in-its-slot.ts';
import { readCarried } from './read.ts';
import { deadLetter, recordOf, type SourceFacts } from './source-record.ts';

/** `ended`: the session was ended before; nothing was written that anybody reads. */
export type SaveOutcome = 'saved' | 'ended';

/** What is to be saved. */
interface Save {
  readonly key: SessionKey;
  readonly rawId: string;
  /** As the application wrote it, with the user's generation. */
  readonly value: string;
  /** From now; null: for ever. */
  readonly ttlMs: number | null;
}

/** How long a save is tried again while its slot changes hands. */
const DEADLINE_MS = 2000;

/**
 * Saves a session on both sides, the primary side first.
 *
 * Why no save is lost when the primary side changes under it. A save enters its slot, and a slot does not change sides
 * before every process has said that nothing of its own is in flight there, or its lease has ended. So a save that only
 * the source has is good when the lease is still valid *after* the write: the change had to wait for us. A save that the
 * target took under the epoch's fence is good without a lease: whichever side is primary next, it has the save. Else the
 * side may have changed before the write, and the save is done again under the new epoch before anything is answered.
 * The earlier write at the source is then the older one, and the version rule lets the newer win there too.
 */
export async function saveCarried(context: CarriedContext, rawId: string, given: string, ttlMs: number | null): Promise<SaveOutcome> {
  const key = carriedSessionKey(rawId);
  if (context.ended.isSessionEnded(sessionIdText(key.id))) return 'ended';
  const value = await withGeneration(context, rawId, given);
  if (value === undefined) return 'ended';
  const save: Save = { key, rawId, value, ttlMs };
  try {
    return await inItsSlot(
      context,
      key.slot,
      async (passage) => {
        await context.at?.('save.entered');
        return (passage.side === 'source' ? saveSourceFirst : saveTargetFirst)(context, save, passage);
      },
      performance.now() + DEADLINE_MS,
    );
  } catch (error) {
    // It may have happened all the same: the caller hears of the fault, a repair brings the two sides in line.
    if (!isWherryError(error, 'session_unstorable') && !isWherryError(error, 'session_collision'))
      await context.repairs.add({ slot: key.slot, id: key.id, sourceRef: context.refs.seal(key, rawId), cause: 'uncertain_write' });
    throw error;
  }
}

async function saveSourceFirst(context: CarriedContext, save: Save, { epoch }: SlotPassage): Promise<SaveOutcome | 'moved'> {
  const { key, rawId, value, ttlMs } = save;
  const written = await context.source.save(rawId, value, ttlMs, epoch);
  await context.at?.('save.source-written');
  if (written.outcome === 'ended') return 'ended';
  if (written.outcome === 'older') return 'moved';
  const decoded = context.decode(value);
  if (!decoded.ok) {
    await context.reportDeadLetters([deadLetter(key, rawId, decoded.why.reason, decoded.why.detail, context.refs)]);
    return savedAtSource(context, key.slot, epoch);
  }
  const asOf = written.expireTime === null || ttlMs === null ? context.now() - context.sourceOffsetMs() : written.expireTime - ttlMs;
  const record = recordOf(key, rawId, decoded.session, { version: written.version, expireTime: written.expireTime, asOf }, context);
  let mirrored: Awaited<ReturnType<CarriedContext['target']['put']>>;
  try {
    mirrored = await context.target.put(record, epoch);
  } catch {
    await context.repairs.add({ slot: key.slot, id: key.id, sourceRef: context.refs.seal(key, rawId), cause: 'target_write' });
    return savedAtSource(context, key.slot, epoch);
  }
  await context.at?.('save.target-written');
  switch (mirrored) {
    case 'applied':
    case 'older':
      return 'saved';
    case 'not_owned':
      return 'moved';
    case 'ended':
      // The target has a tombstone that the source had not: ended wins on both sides.
      await context.source.end(rawId, context.tombstoneMs, epoch);
      return 'ended';
    case 'collision':
      await context.reportDeadLetters([deadLetter(key, rawId, 'id_collision', 'another session has the same primary key', context.refs)]);
      return savedAtSource(context, key.slot, epoch);
  }
}

/** Only the source has it. Where the lease lapsed and was taken anew, the slot may have changed; then the map knows another epoch. */
function savedAtSource(context: CarriedContext, slot: number, epoch: number): 'saved' | 'moved' {
  return context.lease.leaseValid && context.slots.entry(slot).epoch === epoch ? 'saved' : 'moved';
}

async function saveTargetFirst(context: CarriedContext, save: Save, { epoch }: SlotPassage): Promise<SaveOutcome | 'moved'> {
  const { key, rawId, value } = save;
  const record = targetRecord(context, save);
  const { outcome, version } = await context.target.save(record, epoch);
  await context.at?.('save.target-written');
  switch (outcome) {
    case 'ended':
      return 'ended';
    case 'not_owned':
    case 'older':
      return 'moved';
    case 'collision':
      throw new WherryError('session_collision', 'another session has the same primary key; the session needs a new id');
    case 'applied':
  }
  try {
    const expireTime = record.expireTime === null ? null : record.expireTime - context.sourceOffsetMs();
    const mirrored = await context.source.put(rawId, value, expireTime, version);
    if (mirrored.outcome === 'ended') {
      await context.target.end(key, context.now());
      return 'ended';
    }
  } catch {
    await context.repairs.add({ slot: key.slot, id: key.id, sourceRef: context.refs.seal(key, rawId), cause: 'source_write' });
  }
  await context.at?.('save.source-written');
  return 'saved';
}

function targetRecord(context: CarriedContext, { key, rawId, value, ttlMs }: Save): SessionRecord {
  const now = context.now() - context.sourceOffsetMs();
  const facts: SourceFacts = { version: { epoch: 0, n: 0 }, expireTime: ttlMs === null ? null : now + ttlMs, asOf: now };
  return recordOf(key, rawId, decodeForTarget(context, value), facts, context);
}

/** An identity that cannot be read makes the session nobody's, as it is for the gateway; the application keeps its data. */
function decodeForTarget(context: CarriedContext, value: string): DecodedSession {
  const decoded = context.decode(value);
  if (decoded.ok) return decoded.session;
  if (decoded.why.reason === 'identity_invalid') return { userId: null, username: null, authorities: [], attributes: value, idleMs: null };
  throw new WherryError('session_unstorable', `the session cannot be stored: ${decoded.why.detail}`, {
    data: { reason: decoded.why.reason },
  });
}

/**
 * Stamps the user's generation on a new log-in. A session that existed before the generation was raised must not be
 * saved into a new life by a slow request: undefined, it has ended.
 */
async function withGeneration(context: CarriedContext, rawId: string, value: string): Promise<string | undefined> {
  const decoded = context.decode(value);
  const userId = decoded.ok ? decoded.session.userId : null;
  const minimum = userId === null ? 0 : context.ended.minimumGeneration(userId);
  if (minimum === 0) return value;
  const stamped = explicitGeneration(value);
  if (stamped !== undefined) return stamped < minimum ? undefined : value;
  const before = await readCarried(context, rawId);
  if (before.state === 'ended' || (before.state === 'live' && before.userId === userId)) return undefined;
  return stampGeneration(value, minimum);
}
