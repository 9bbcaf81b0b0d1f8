import {
  addDeadLetters,
  carriedSessionKey,
  changeBetween,
  convertSession,
  identityOf,
  sessionIdText,
  type Identity,
  type SessionKey,
  type SessionRecord,
  type SourceSession,
  type SourceStore,
} from '@wherry/sessions';
import type { SessionRead } from '@wherry/sessions/sql';
import type { MigrationContext } from '../context.ts';
import { bury } from './bury.ts';
import type { Case, DecidedCase, Decision } from './case.ts';
import { judgeLogIns } from './judge-log-ins.ts';
import type { PendingChange } from './pending-changes.ts';
import type { RaisedUsers } from './raised-users.ts';

/** How much earlier a session may run out at a source whose touches come from the target. */
const LATE_TOUCHES_MS = 60_000;

/** What applying needs. */
export interface ApplyContext extends Pick<
  MigrationContext,
  | 'control'
  | 'decode'
  | 'refs'
  | 'target'
  | 'shards'
  | 'slots'
  | 'ended'
  | 'revocations'
  | 'repairs'
  | 'now'
  | 'sourceOffsetMs'
  | 'sourceDoubted'
  | 'tombstoneMs'
  | 'defaultIdleMs'
> {
  readonly source: SourceStore;
  /** What is known of users whose generation was raised; absent where nothing can be. */
  readonly raised?: RaisedUsers;
  /** Awaited between the steps; for tests. */
  readonly at?: (step: ApplyStep) => Promise<void>;
}

/** Names of the places between two steps of applying. */
export type ApplyStep = 'source-read' | 'tokens-ended' | 'end-recorded' | 'ends-applied' | 'written';

/** What applying came to. */
export interface Applied {
  /** Somebody writes past us. */
  readonly foreign: boolean;
  /** Writes past us to sessions whose primary side is the target. */
  readonly strays: number;
  /** Their slots changed hands: to be applied again, by another reading. */
  readonly again: readonly PendingChange[];
}

/**
 * Brings what happened at the source to the target: reads each session again and writes that, ends what was ended, and ends
 * the tokens of sessions that got another user or other authorities.
 *
 * What orders the writes. Writers past us keep no version, so each reading gets a label: the place in the feed that was
 * reached when it began. The source had come at least so far, so what was read is as new as the label or newer. The target
 * takes the higher label. Let x be the place of the last change of a session. The capture reads it after x was told, under a
 * label of at least x. Any other reading with a label of at least x has read the same; any with a lower label loses, whenever
 * it arrives, from whichever process. So when the feed comes to rest the target holds the last change, whoever else reads,
 * crashes or comes late. In between it may for a moment hold an older state than it did: the source is primary and nobody
 * is answered from the target. Labels lie in the epoch of the slot, so everything of an earlier time of the target, our own
 * reverse writes included, is older, and everything after the switch is newer. Our own writes come back through the
 * feed and are read again as any other: they cannot go round, because nothing that is applied here writes to the source
 * but ends, and those are told from others by the tombstone beside the session.
 *
 * Why nothing that has ended comes back: a removal is told in its place whatever is written afterwards. It is on record,
 * and at the source as a tombstone, before anything is put; a session that is written under a tombstone is removed again.
 */
export async function applyChanges(context: ApplyContext, changes: readonly PendingChange[], label: number): Promise<Applied> {
  const keys = changes.map(({ rawId }) => carriedSessionKey(rawId));
  const [sessions, rows] = await Promise.all([context.source.get(changes.map(({ rawId }) => rawId)), context.target.getMany(keys)]);
  await context.at?.('source-read');
  const cases = changes.flatMap((change, index): Case[] => {
    const [key, row] = [keys[index], rows[index]];
    if (key === undefined || row === undefined) return [];
    const { epoch, side } = context.slots.entry(key.slot);
    return [{ change, key, row, session: sessions[index], epoch, side }];
  });
  const decided = await judgeLogIns(
    context,
    cases.map((one) => ({ ...one, decision: decide(context, one, label) })),
  );
  await Promise.all(decided.map(async ({ key, decision }) => endTokens(context, key, decision)));
  await context.at?.('tokens-ended');
  await Promise.all(decided.map(async ({ key, change, decision }) => end(context, key, change.rawId, decision)));
  for (const { foundDead } of decided) if (foundDead === true) context.raised?.foundDead();
  await context.at?.('ends-applied');
  const again = await write(context, decided);
  await context.at?.('written');
  return {
    foreign: decided.some(({ change, decision }) => change.foreign && decision.do !== 'nothing'),
    strays: decided.filter(({ side, change, decision }) => side === 'target' && change.foreign && decision.do !== 'nothing').length,
    again,
  };
}

function decide(context: ApplyContext, one: Case, label: number): Decision {
  const { change, key, session, row, side } = one;
  if (context.ended.isSessionEnded(sessionIdText(key.id)) || session?.ended === true || row.state === 'ended') return buried(context, one);
  if (wasEnded(context, one)) {
    if (row.state === 'live') return { do: 'end' };
    // No token can be of a session that the target never had.
    return session === undefined ? { do: 'tombstone' } : { do: 'bury' };
  }
  if (session === undefined) return change.mayBeGone && isAlive(context, row) ? { do: 'end' } : { do: 'nothing' };
  if (side === 'target') return strayed(one, context);
  return brought(context, one, session, { epoch: one.epoch, n: label });
}

/** Ended wins: whichever side does not say so yet is told. */
function buried(context: ApplyContext, { change, key, session, row }: Case): Decision {
  const resaved = change.foreign && (change.values.length > 0 || change.unseen);
  if (session?.ended === true && !resaved) return row.state === 'ended' ? { do: 'nothing' } : { do: 'tombstone' };
  const known = context.ended.isSessionEnded(sessionIdText(key.id));
  return session === undefined && row.state === 'ended' && !known ? { do: 'nothing' } : { do: 'bury' };
}

/**
 * What is not known of the session's life by what happened, the row says: it holds all that was applied before. While the
 * target is primary its touches come to the source later, so that it may run out there a little too early.
 */
function wasEnded(context: ApplyContext, { change: { removal, removedAt }, row, side }: Case): boolean {
  if (removal === undefined || removal === 'ran_out') return false;
  if (side === 'source' && removal === 'ended') return true;
  if (row.state !== 'live') return true;
  const { expireTime } = row.record;
  const early = side === 'source' ? 0 : LATE_TOUCHES_MS;
  return expireTime === null || expireTime > removedAt + context.sourceOffsetMs() + early;
}

function isAlive(context: ApplyContext, row: SessionRead): boolean {
  return row.state === 'live' && (row.record.expireTime === null || row.record.expireTime > context.now());
}

function brought(context: ApplyContext, { change, row }: Case, session: SourceSession, version: SessionRecord['version']): Decision {
  const converted = convertSession({ ...session, version }, context);
  const after = converted.ok ? converted.record : identityOf(context.decode, session.value);
  const tokensEnd = hasChangedHands(context, row, change, session, after);
  return converted.ok ? { do: 'put', record: converted.record, tokensEnd } : { do: 'letter', letter: converted.letter, tokensEnd };
}

/** A write past us to a session whose primary side is the target: one that is new is carried, any other is written over. */
function strayed(one: Case, context: ApplyContext): Decision {
  const { change, row, session, epoch } = one;
  if (!change.foreign || session === undefined) return { do: 'nothing' };
  return row.state === 'live' ? { do: 'restore' } : brought(context, one, session, { epoch, n: 0 });
}

/** True when any two in turn of those whom it has belonged to differ: a token of one in between must not live on either. */
function hasChangedHands(context: ApplyContext, row: SessionRead, change: PendingChange, session: SourceSession, after: Identity): boolean {
  let before: Identity | undefined = row.state === 'live' ? row.record : undefined;
  const between = change.values.filter((value, index) => value !== session.value && value !== change.values[index - 1]);
  for (const identity of [...between.map((value) => identityOf(context.decode, value)), after]) {
    if (before !== undefined && changeBetween(before, identity) !== 'none') return true;
    before = identity;
  }
  return false;
}

/** Durable before the row changes, which is what tells that there was a change: a crash in between ends them once more. */
async function endTokens({ revocations }: ApplyContext, { id }: SessionKey, decision: Decision): Promise<void> {
  if ((decision.do === 'put' || decision.do === 'letter') && decision.tokensEnd) await revocations.endSessionChange({ id });
}

async function end(context: ApplyContext, key: SessionKey, rawId: string, decision: Decision): Promise<void> {
  switch (decision.do) {
    case 'end':
      await context.revocations.endSession({ slot: key.slot, id: key.id, digest: key.digest, reason: 'logout' });
      await context.at?.('end-recorded');
      await bury(context, key, rawId);
      await context.revocations.markDrained(key.id);
      return;
    case 'bury':
      await bury(context, key, rawId);
      return;
    case 'tombstone':
      await context.target.end(key, context.now());
      return;
    case 'nothing':
    case 'put':
    case 'letter':
    case 'restore':
  }
}

async function write(context: ApplyContext, decided: readonly DecidedCase[]): Promise<PendingChange[]> {
  const puts = decided.flatMap(({ decision, ...one }) => (decision.do === 'put' ? [{ ...one, record: decision.record }] : []));
  const letters = decided.flatMap(({ decision }) => (decision.do === 'letter' ? [decision.letter] : []));
  const outcomes = await context.target.putMany(
    puts.map(({ record }) => record),
    puts.map(({ epoch }) => epoch),
  );
  const again: PendingChange[] = [];
  for (const [index, { key, change, record }] of puts.entries()) {
    const outcome = outcomes[index];
    if (outcome === 'not_owned') again.push(change);
    // The tombstone came between our looking and our writing.
    else if (outcome === 'ended') await bury(context, key, change.rawId);
    else if (outcome === 'collision')
      letters.push({
        slot: key.slot,
        id: key.id,
        sourceRef: record.sourceRef ?? Buffer.alloc(0),
        reason: 'id_collision',
        detail: 'another session has the same primary key',
      });
  }
  await addDeadLetters(context.control, letters);
  for (const { decision, key, change } of decided)
    if (decision.do === 'restore')
      await context.repairs.add({ slot: key.slot, id: key.id, sourceRef: context.refs.seal(key, change.rawId), cause: 'verify' });
  return again;
}
