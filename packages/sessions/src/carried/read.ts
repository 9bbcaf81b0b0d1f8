import { WherryError } from '@wherry/core';
import { carriedSessionKey, compareVersions, sessionIdText, type SessionKey, type SessionRecord } from '../record.ts';
import type { SourceSession } from '../source/contract.ts';
import type { CarriedContext, PrimarySide, SlotView, TargetRead } from './context.ts';
import { stampedGeneration } from './generation.ts';
import { endOf } from './source-record.ts';

/** A live session as a reader needs it. Times in epoch ms, target's clock. */
export interface LiveSession {
  readonly state: 'live';
  readonly key: SessionKey;
  readonly userId: string | null;
  readonly username: string | null;
  readonly authorities: readonly string[];
  readonly userGeneration: number;
  readonly expireTime: number | null;
  /** How long it lives untouched. */
  readonly idleMs: number;
  readonly attributes: string;
  /** Known before the reading: tokens issued up to this second (NumericDate) are of before, so one of this reading says a later `iat`; 0: none are. */
  readonly tokensNotBefore: number;
  /** Where it was read, and under which epoch: a cached copy is good for that epoch only. */
  readonly side: PrimarySide;
  readonly epoch: number;
}

/** What a bearer's session is. `ended`: it was, and somebody ended it. `undecodable`: it is there, but nobody can tell whose. */
export type CarriedRead =
  | LiveSession
  | { readonly state: 'absent' | 'ended' }
  | { readonly state: 'undecodable'; readonly value: string; readonly key: SessionKey };

const ATTEMPTS = 8;

/**
 * Reads a carried-over session from the primary side of its slot. Ended wins: termination records are asked before and
 * after the reading, because one of the stores may not have applied them yet.
 *
 * Which side is primary is known as of the last news. When the lease is not valid, or the slot is closing, so that its
 * change may have been committed since, the shard is asked whether the epoch still stands; a shard that does not answer
 * means that nobody can tell, which is an error, not an answer.
 */
export async function readCarried(context: CarriedContext, rawId: string): Promise<CarriedRead> {
  const key = carriedSessionKey(rawId);
  const sid = sessionIdText(key.id);
  if (context.ended.isSessionEnded(sid)) return { state: 'ended' };
  const tokensNotBefore = context.ended.sessionTokensNotBefore?.(sid) ?? 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { epoch, side } = context.slots.entry(key.slot);
    const read =
      side === 'source' ? await readSource(context, key, rawId, epoch) : fromTarget(context, await context.target.get(key), key, epoch);
    await context.at?.(side === 'source' ? 'read.source-read' : 'read.target-read');
    if (!(await epochStands(context, key.slot, { epoch, side }))) {
      await context.slots.refresh();
      await context.target.follow(key.slot, epoch, attempt);
      continue;
    }
    if (read.state === 'live' && side === 'source' && !context.lease.leaseValid && (await endedAtTarget(context, key)))
      return { state: 'ended' };
    if (context.ended.isSessionEnded(sid)) return { state: 'ended' };
    if (read.state !== 'live') return read;
    const userGeneration = await livingGeneration(context, read);
    return userGeneration === undefined ? { state: 'ended' } : { ...read, userGeneration, tokensNotBefore };
  }
  throw new WherryError('slot_not_owned', 'the slot kept changing its owner');
}

/**
 * The generation by which a session lives, undefined where its user's was raised above it. A session of a writer past us
 * says nothing of it: what the capture has found out stands in its row (`RaisedUsers` of the migration), which is asked only
 * where the session itself would be dead.
 */
async function livingGeneration(context: CarriedContext, read: LiveSession): Promise<number | undefined> {
  const { key, side, userId, userGeneration } = read;
  const least = userId === null ? 0 : await leastGeneration(context, read, userId);
  if (userGeneration >= least) return userGeneration;
  if (side === 'target') return undefined;
  const row = await context.target.get(key);
  return row.state === 'live' && row.record.userId === userId && row.record.userGeneration >= least ? row.record.userGeneration : undefined;
}

/**
 * Without news the shard is asked as well, for a session that lies in the source alone: those that lie on a shard have
 * tombstones there.
 */
async function leastGeneration({ ended, lease, target }: CarriedContext, { key, side }: LiveSession, userId: string): Promise<number> {
  const known = ended.minimumGeneration(userId);
  return side === 'target' || lease.leaseValid ? known : Math.max(known, await target.leastGeneration(key.slot, userId));
}

/** The target's own reads are bound to their epoch by the shard. */
async function epochStands(context: CarriedContext, slot: number, { epoch, side }: Pick<SlotView, 'epoch' | 'side'>): Promise<boolean> {
  const known = context.slots.entry(slot);
  if (known.epoch !== epoch) return false;
  if (side === 'target' || (known.state === 'open' && context.lease.leaseValid)) return true;
  return context.target.confirmEpoch(slot, epoch);
}

/**
 * Without news of revocations the target is asked as well: whoever raises a user's generation ends the user's rows
 * there, and the source itself knows nothing of generations.
 */
async function endedAtTarget(context: CarriedContext, key: SessionKey): Promise<boolean> {
  return (await context.target.get(key)).state === 'ended';
}

async function readSource(context: CarriedContext, key: SessionKey, rawId: string, epoch: number): Promise<CarriedRead> {
  const [session] = await context.source.get([rawId]);
  const read: CarriedRead = session === undefined ? { state: 'absent' } : fromSource(context, session, key, epoch);
  return context.sourceDoubted() ? readDoubted(context, key, session, read, epoch) : read;
}

/**
 * After a failover the source may have forgotten an end, which the target then knows, or a save: the target's record of
 * before the failover is what was acknowledged last where it is newer. Named as the source's, so that nobody remembers it.
 */
async function readDoubted(
  context: CarriedContext,
  key: SessionKey,
  session: SourceSession | undefined,
  read: CarriedRead,
  epoch: number,
): Promise<CarriedRead> {
  const there = await context.target.get(key);
  if (read.state === 'ended' || there.state === 'ended') return { state: 'ended' };
  if (there.state !== 'live' || !isForgotten(there.record, session, epoch)) return read;
  const kept = liveRecord(context, there.record, key, epoch);
  return kept.state === 'live' ? { ...kept, side: 'source' } : read;
}

/** True when a record of the target is newer than what the source holds (undefined: nothing), and of an epoch before `epoch`: the source has forgotten it. */
export function isForgotten(record: SessionRecord, session: SourceSession | undefined, epoch: number): boolean {
  if (record.version.epoch >= epoch) return false;
  return session === undefined || (!session.ended && compareVersions(record.version, session.version) > 0);
}

function fromSource(context: CarriedContext, session: SourceSession, key: SessionKey, epoch: number): CarriedRead {
  if (session.ended) return { state: 'ended' };
  const decoded = context.decode(session.value);
  if (!decoded.ok) return { state: 'undecodable', value: session.value, key };
  const { userId, username, authorities, idleMs, attributes } = decoded.session;
  const expireTime = endOf(session.expireTime, decoded.session);
  if (expireTime !== null && expireTime <= session.readAt) return { state: 'absent' };
  return {
    state: 'live',
    key,
    userId,
    username,
    authorities,
    userGeneration: stampedGeneration(attributes),
    expireTime: expireTime === null ? null : expireTime + context.sourceOffsetMs(),
    idleMs: idleMs ?? context.defaultIdleMs,
    attributes,
    tokensNotBefore: 0,
    side: 'source',
    epoch,
  };
}

function fromTarget(context: CarriedContext, read: TargetRead, key: SessionKey, epoch: number): CarriedRead {
  if (read.state !== 'live') return { state: read.state };
  return liveRecord(context, read.record, key, epoch);
}

/** A row of the target as a live session, `absent` when its time is over. */
export function liveRecord(
  context: Pick<CarriedContext, 'now' | 'decode' | 'defaultIdleMs'>,
  record: SessionRecord,
  key: SessionKey,
  epoch: number,
): CarriedRead {
  if (record.expireTime !== null && record.expireTime <= context.now()) return { state: 'absent' };
  const { userId, username, authorities, userGeneration, expireTime, attributes } = record;
  const idleMs = expireTime === null ? context.defaultIdleMs : Math.max(0, expireTime - record.lastAccessTime);
  const session = { key, userId, username, authorities, userGeneration, expireTime, idleMs, attributes } as const;
  return { state: 'live', ...session, tokensNotBefore: 0, side: 'target', epoch };
}
