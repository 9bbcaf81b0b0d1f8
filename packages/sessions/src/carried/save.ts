import { WherryError, isWherryError } from '@wherry/core';
import { carriedSessionKey, sessionIdText, type SessionKey, type SessionRecord } from '../record.ts';
import type { SourceSave } from '../source/contract.ts';
import type { DecodedSession } from '../source/decoder.ts';
import { isSourceChanged } from '../source/lives.ts';
import type { CarriedContext, SlotPassage } from './context.ts';
import { explicitGeneration, stampGeneration } from './generation.ts';
import { IdentityChanges } from './identity-changes.ts';
import { identityOf, markOf, type Identity } from './identity.ts';
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
  /** Stands for whom the value belongs to. */
  readonly mark: string;
  /** Whose session it may replace. */
  readonly over?: Replaced;
}

/** Whose session a store holds: the save was refused, and may be repeated over just this one. */
interface Replaced {
  readonly identity: Identity;
  /** As the source keeps it; absent where the target answered. */
  readonly mark?: string;
}

/** How long a save is tried again while its slot changes hands. */
const DEADLINE_MS = 2000;
/** How often others may change whose session it is while it is being saved. */
const ROUNDS = 16;

/**
 * Saves a session on both sides, the primary side first.
 *
 * Why no save is lost when the primary side changes under it. A save enters its slot, and a slot does not change sides
 * before every process has said that nothing of its own is in flight there, or its lease has ended. So a save that only
 * the source has is good when the lease is still valid *after* the write: the change had to wait for us. A save that the
 * target took under the epoch's fence is good without a lease: whichever side is primary next, it has the save. Else the
 * side may have changed before the write, and the save is done again under the new epoch before anything is answered.
 * The earlier write at the source is then the older one, and the version rule lets the newer win there too.
 *
 * A save that gives the session to another user, or to the same with other authorities, ends its tokens of before: see
 * {@link IdentityChanges}. A save that does not is one statement at each store, as it would be without.
 */
export async function saveCarried(context: CarriedContext, rawId: string, given: string, ttlMs: number | null): Promise<SaveOutcome> {
  const key = carriedSessionKey(rawId);
  if (context.ended.isSessionEnded(sessionIdText(key.id))) return 'ended';
  const identity = identityOf(context.decode, given);
  const value = await withGeneration(context, rawId, given, identity.userId);
  if (value === undefined) return 'ended';
  const save: Save = { key, rawId, value, ttlMs, mark: markOf(identity) };
  const changes = new IdentityChanges(context, key, identity);
  const outcome = await written(context, save, changes);
  if (outcome === 'saved') await changes.made();
  return outcome;
}

async function written(context: CarriedContext, save: Save, changes: IdentityChanges): Promise<SaveOutcome> {
  const { key, rawId } = save;
  const deadline = performance.now() + DEADLINE_MS;
  let over: Replaced | undefined;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const attempt = over === undefined ? save : { ...save, over };
      const outcome = await inItsSlot(
        context,
        key.slot,
        async (passage) => {
          await context.at?.('save.entered');
          return (passage.side === 'source' ? saveSourceFirst : saveTargetFirst)(context, attempt, passage);
        },
        deadline,
      );
      if (typeof outcome === 'string') return outcome;
      // Outside of the slot: whoever wants to change its side need not wait for control.
      await changes.expect(outcome.identity);
      over = outcome;
    }
    throw new WherryError('conflict', 'the session kept changing its user or authorities');
  } catch (error) {
    // It may have happened all the same: the caller hears of the fault, a repair brings the two sides in line.
    if (!isWherryError(error, 'session_unstorable') && !isWherryError(error, 'session_collision'))
      await context.repairs.add({ slot: key.slot, id: key.id, sourceRef: context.refs.seal(key, rawId), cause: 'uncertain_write' });
    throw error;
  }
}

async function saveSourceFirst(context: CarriedContext, save: Save, { epoch }: SlotPassage): Promise<SaveOutcome | 'moved' | Replaced> {
  const { key, rawId, value, ttlMs, mark, over } = save;
  const marks = over?.mark === undefined ? { mark } : { mark, over: over.mark };
  let written: SourceSave;
  try {
    written = await context.source.save(rawId, value, ttlMs, epoch, marks);
  } catch (error) {
    // Nothing was written: the slot is to be entered under its new epoch.
    if (isSourceChanged(error)) return 'moved';
    throw error;
  }
  if (written.outcome === 'differs') return { identity: identityOf(context.decode, written.value), mark: written.mark };
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

async function saveTargetFirst(context: CarriedContext, save: Save, { epoch }: SlotPassage): Promise<SaveOutcome | 'moved' | Replaced> {
  const { key, rawId, value, over } = save;
  const record = targetRecord(context, save);
  const { outcome, version } = await context.target.save(record, epoch, over?.identity);
  if (outcome === 'differs') return heldByTarget(context, key);
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

/** Read again, since a refusal says no more than that it is another's. */
async function heldByTarget(context: CarriedContext, key: SessionKey): Promise<Replaced | SaveOutcome | 'moved'> {
  const found = await context.target.get(key);
  if (found.state === 'ended') return 'ended';
  return found.state === 'absent' ? 'moved' : { identity: found.record };
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
async function withGeneration(context: CarriedContext, rawId: string, value: string, userId: string | null): Promise<string | undefined> {
  const minimum = userId === null ? 0 : context.ended.minimumGeneration(userId);
  if (minimum === 0) return value;
  const stamped = explicitGeneration(value);
  if (stamped !== undefined) return stamped < minimum ? undefined : value;
  const before = await readCarried(context, rawId);
  if (before.state === 'ended') return undefined;
  // One that a writer past us has begun since has its generation in its row.
  if (before.state === 'live' && before.userId === userId)
    return before.userGeneration < minimum ? undefined : stampGeneration(value, before.userGeneration);
  return stampGeneration(value, minimum);
}
