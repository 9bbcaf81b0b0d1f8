import { addDeadLetters, carriedSessionKey, convertSession, type SessionKey, type SourceSession } from '@wherry/sessions';
import type { ScanCursor, StoredSession } from '@wherry/sessions/sql';
import type { MigrationContext } from '../context.ts';
import type { Checkpoint, Verification } from '../journal/journal.ts';
import { ProgressMeter } from '../progress.ts';
import { repairSession } from '../repair/repair-session.ts';
import { compareSides, isInUse, type DifferenceClass, type SideView } from './compare.ts';
import { recordDifference } from './differences.ts';
import { Suspects, type SecondLook, type Suspect } from './suspects.ts';

type Look = (suspect: Suspect) => Promise<SecondLook>;

/** What a verification found. Differences are those that outlived the grace. */
export interface VerifyCounts {
  readonly compared: number;
  readonly differences: Readonly<Partial<Record<DifferenceClass, number>>>;
  /** The same by what differs, in words. */
  readonly details: Readonly<Record<string, number>>;
  readonly repaired: number;
}

/**
 * Compares the two sides in both directions: the source streamed once with batched point reads at the target, then the
 * target streamed once with point reads at the source through `source_ref`. What differs is looked at again after a
 * grace, because a live write may be on its way; what still differs is counted by class and repaired.
 */
export async function verifySessions(context: MigrationContext, verification: Verification): Promise<VerifyCounts> {
  const { journal, pace } = context;
  const total = await pace.unit(0, () => context.source.count());
  const meter = new ProgressMeter(context.progress, 'verify', total * 2);
  const suspects = new Suspects(context);
  const look = (suspect: Suspect): Promise<SecondLook> => lookAgain(context, verification, suspect);
  let compared = await verifyFromSource(context, suspects, meter, look);
  compared += await verifyFromTarget(context, suspects, meter, look);
  const settled = await suspects.settle(Number.POSITIVE_INFINITY, look);
  meter.tell();
  const counts = { compared, ...settled };
  await journal.forget('verify');
  return counts;
}

async function verifyFromSource(context: MigrationContext, suspects: Suspects, meter: ProgressMeter, look: Look): Promise<number> {
  const { batchSize, pace, source, journal } = context;
  let compared = 0;
  for (const partition of await pace.unit(0, () => source.partitions())) {
    let checkpoint = await pace.unit(0, () => journal.checkpoint('verify', `source ${partition.id}`, partition.incarnation));
    while (checkpoint?.done !== true) {
      const cursor: string | null = checkpoint?.cursor ?? null;
      const page = await pace.unit(batchSize, () => source.scan(partition, cursor, batchSize, pace.signal));
      await pace.unit(0, () => compareSourcePage(context, page.sessions, suspects));
      await journal.reach('verify.page-compared');
      compared += page.sessions.length;
      await suspects.settle(performance.now(), look);
      // Suspects live in memory: a checkpoint may not pass them, or a crash would forget what was to be looked at again.
      checkpoint = { incarnation: partition.incarnation, cursor: page.next, done: page.next === null, counts: {} };
      if (suspects.empty) {
        const covered = checkpoint;
        await pace.unit(0, () => journal.save('verify', `source ${partition.id}`, covered));
        await journal.reach('verify.checkpoint');
      }
      meter.add(page.sessions.length, suspects.figures);
    }
  }
  return compared;
}

async function compareSourcePage(context: MigrationContext, sessions: readonly SourceSession[], suspects: Suspects): Promise<void> {
  const keys = sessions.map(({ rawId }) => carriedSessionKey(rawId));
  const there = await context.target.getMany(keys);
  const now = context.now();
  for (const [index, session] of sessions.entries()) {
    const key = keys[index];
    const target = there[index];
    if (key === undefined || target === undefined) continue;
    const here = sourceView(context, session);
    // A dead letter is a difference of its own kind: the gate counts it.
    if (here === 'dead_letter') await reportDeadLetter(context, session);
    else if (compareSides(here, target, now) !== undefined) suspects.add(key, session.rawId, primaryOf(context, key, here, target));
  }
}

async function verifyFromTarget(context: MigrationContext, suspects: Suspects, meter: ProgressMeter, look: Look): Promise<number> {
  const { batchSize, pace, journal, target } = context;
  let compared = 0;
  for (let shard = 0; shard < context.shards.size; shard++) {
    const part = `target ${shard}`;
    let checkpoint = await pace.unit(0, () => journal.checkpoint('verify', part, ''));
    while (checkpoint?.done !== true) {
      const after = cursorOf(checkpoint?.cursor ?? null);
      const page = await pace.unit(batchSize, () => target.scanShard(shard, { after, limit: batchSize, carriedOnly: true }));
      await pace.unit(0, () => compareTargetPage(context, page.sessions, suspects));
      await journal.reach('verify.page-compared');
      compared += page.sessions.length;
      await suspects.settle(performance.now(), look);
      const next = page.next === null ? null : `${page.next.slot} ${page.next.id}`;
      const covered: Checkpoint = { incarnation: '', cursor: next, done: next === null, counts: {} };
      checkpoint = covered;
      if (suspects.empty) {
        await pace.unit(0, () => journal.save('verify', part, covered));
        await journal.reach('verify.checkpoint');
      }
      meter.add(page.sessions.length, suspects.figures);
    }
  }
  return compared;
}

function cursorOf(text: string | null): ScanCursor | null {
  if (text === null) return null;
  const [slot = '', id = ''] = text.split(' ');
  return { slot: Number(slot), id: BigInt(id) };
}

async function compareTargetPage(context: MigrationContext, sessions: readonly StoredSession[], suspects: Suspects): Promise<void> {
  const carried = sessions.flatMap((session) => {
    const sourceRef = session.state === 'live' ? session.record.sourceRef : session.tombstone.sourceRef;
    const { key } = session.state === 'live' ? session.record : session.tombstone;
    return sourceRef === null ? [] : [{ session, key, rawId: context.refs.open(key, sourceRef) }];
  });
  const there = await context.source.get(carried.map(({ rawId }) => rawId));
  const now = context.now();
  for (const [index, { session, key, rawId }] of carried.entries()) {
    const found = there[index];
    const here: SideView | 'dead_letter' = found === undefined ? { state: 'absent' } : sourceView(context, found);
    if (here !== 'dead_letter' && compareSides(here, session, now) !== undefined)
      suspects.add(key, rawId, primaryOf(context, key, here, session));
  }
}

/** Reads both sides again; a difference that stands is repaired. undefined: the sides agree now. */
async function lookAgain(context: MigrationContext, verification: Verification, { key, rawId, before }: Suspect): Promise<SecondLook> {
  const difference = await context.pace.unit<SecondLook>(0, async () => {
    const [[session], target] = await Promise.all([context.source.get([rawId]), context.target.get(key)]);
    const here: SideView | 'dead_letter' = session === undefined ? { state: 'absent' } : sourceView(context, session);
    if (here === 'dead_letter') return undefined;
    const found = compareSides(here, target, context.now());
    const primary = primaryOf(context, key, here, target);
    return found !== undefined && isInUse(before, primary, primary === here ? target : here) ? { inUse: primary } : found;
  });
  if (difference === undefined || 'inUse' in difference) return difference;
  if (difference.class !== 'expired_in_flight') {
    const repaired = await context.pace.unit(0, () => repairUntilDone(context, key, rawId));
    await context.pace.unit(0, () => recordDifference(context.control, verification, key, difference, repaired));
    await context.journal.reach('verify.repaired', { class: difference.class, detail: difference.detail });
  }
  return difference;
}

/** False: it became a dead letter. */
async function repairUntilDone(context: MigrationContext, key: SessionKey, rawId: string): Promise<boolean> {
  for (;;) {
    const outcome = await repairSession(context, key, rawId, { afterGrace: true });
    if (outcome !== 'retry') return outcome === 'repaired';
    await context.slots.refresh();
  }
}

function primaryOf(context: MigrationContext, { slot }: SessionKey, source: SideView, target: SideView): SideView {
  return context.slots.entry(slot).side === 'source' ? source : target;
}

function sourceView(context: MigrationContext, session: SourceSession): SideView | 'dead_letter' {
  if (session.ended) return { state: 'ended' };
  const converted = convertSession(session, context);
  return converted.ok ? { state: 'live', record: converted.record } : 'dead_letter';
}

async function reportDeadLetter(context: MigrationContext, session: SourceSession): Promise<void> {
  const converted = convertSession(session, context);
  if (!converted.ok) await addDeadLetters(context.control, [converted.letter]);
}
