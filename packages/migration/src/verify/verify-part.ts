import { addDeadLetters, carriedSessionKey, convertSession, type SessionKey, type SourceSession } from '@wherry/sessions';
import type { StoredSession } from '@wherry/sessions/sql';
import type { MigrationContext } from '../context.ts';
import { addCounts } from '../copy/counts.ts';
import type { Checkpoint, Verification } from '../journal/journal.ts';
import type { Claim } from '../journal/work-parts.ts';
import { RateWindow } from '../rate-window.ts';
import { repairSession } from '../repair/repair-session.ts';
import { compareSides, isInUse } from './compare.ts';
import { recordDifference } from './differences.ts';
import { primaryOf, sourceView } from './sides.ts';
import { Suspects, type SecondLook, type Suspect } from './suspects.ts';
import { cursorBehind, rangeOfPart, scanFrom, type TargetRange } from './target-ranges.ts';

/** The name of a source partition as a part of a verification. */
export const SOURCE_PART = 'source ';

/** A page that was compared: how many sessions it had, and where the next one starts. */
interface ComparedPage {
  readonly scanned: number;
  readonly next: string | null;
}

/**
 * Compares one part of a store with the other side, from its checkpoint on. When it resolves, all is read; what it answers
 * looks again at what differed, after the grace, and writes the last checkpoint: other parts can be read meanwhile.
 *
 * Suspects live in memory, so a checkpoint may not pass one: a crash would forget what was to be looked at again.
 */
export async function verifyPart(context: MigrationContext, claim: Claim, tell: () => Promise<void>): Promise<() => Promise<void>> {
  const { journal, pace } = context;
  const range = rangeOfPart(claim.part);
  const suspects = new Suspects(context);
  const verification: Pick<Verification, 'pass'> = { pass: claim.run };
  const look = (suspect: Suspect): Promise<SecondLook> => lookAgain(context, verification, suspect);
  const rate = new RateWindow();
  const { incarnation } = claim.checkpoint;
  let { cursor } = claim.checkpoint;
  let scanned = 0;
  const save = async (done: boolean): Promise<void> => {
    const counts = addCounts(addCounts({ ...claim.checkpoint.counts }, { scanned }), suspects.counts);
    const checkpoint: Checkpoint = { incarnation, cursor, done, counts };
    await pace.unit(0, () => journal.parts.save(claim, checkpoint, { rate: rate.perSecond, pace: { ...pace.report } }), pace.ofPart);
    await journal.reach('verify.checkpoint');
    await tell();
  };
  do {
    const at = cursor;
    const page =
      range === undefined ? await compareSource(context, claim, at, suspects) : await compareTarget(context, range, at, suspects);
    await journal.reach('verify.page-compared');
    scanned += page.scanned;
    rate.add(page.scanned);
    await suspects.settle(performance.now(), look);
    cursor = page.next;
    if (suspects.empty && cursor !== null) await save(false);
  } while (cursor !== null);
  return async () => {
    await suspects.settle(Number.POSITIVE_INFINITY, look);
    await save(true);
  };
}

async function compareSource(context: MigrationContext, claim: Claim, cursor: string | null, suspects: Suspects): Promise<ComparedPage> {
  const { pace, source } = context;
  const partition = { id: claim.part.slice(SOURCE_PART.length), incarnation: claim.checkpoint.incarnation };
  const { batchSize } = pace;
  const { sessions, next } = await pace.unit(batchSize, () => source.scan(partition, cursor, batchSize, pace.signal), pace.ofPart);
  await pace.unit(0, () => compareSourcePage(context, sessions, suspects), pace.ofPart);
  return { scanned: sessions.length, next };
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

async function compareTarget(
  context: MigrationContext,
  range: TargetRange,
  cursor: string | null,
  suspects: Suspects,
): Promise<ComparedPage> {
  const { pace, target } = context;
  const limit = pace.batchSize;
  const after = scanFrom(range, cursor);
  const found = await pace.unit(limit, () => target.scanShard(range.shard, { after, limit, carriedOnly: true }), pace.ofPart);
  const sessions = found.sessions.filter((session) => keyOf(session).slot < range.to);
  await pace.unit(0, () => compareTargetPage(context, sessions, suspects), pace.ofPart);
  return { scanned: sessions.length, next: cursorBehind(range, found.next) };
}

function keyOf(session: StoredSession): SessionKey {
  return session.state === 'live' ? session.record.key : session.tombstone.key;
}

async function compareTargetPage(context: MigrationContext, sessions: readonly StoredSession[], suspects: Suspects): Promise<void> {
  const carried = sessions.flatMap((session) => {
    const sourceRef = session.state === 'live' ? session.record.sourceRef : session.tombstone.sourceRef;
    const key = keyOf(session);
    return sourceRef === null ? [] : [{ session, key, rawId: context.refs.open(key, sourceRef) }];
  });
  const there = await context.source.get(carried.map(({ rawId }) => rawId));
  const now = context.now();
  for (const [index, { session, key, rawId }] of carried.entries()) {
    const here = sourceView(context, there[index]);
    if (here !== 'dead_letter' && compareSides(here, session, now) !== undefined)
      suspects.add(key, rawId, primaryOf(context, key, here, session));
  }
}

/** Reads both sides again; a difference that stands is repaired. undefined: the sides agree now. */
async function lookAgain(
  context: MigrationContext,
  verification: Pick<Verification, 'pass'>,
  { key, rawId, before }: Suspect,
): Promise<SecondLook> {
  const { pace, control, journal } = context;
  const difference = await pace.unit<SecondLook>(
    0,
    async () => {
      const [[session], target] = await Promise.all([context.source.get([rawId]), context.target.get(key)]);
      const here = sourceView(context, session);
      if (here === 'dead_letter') return undefined;
      const found = compareSides(here, target, context.now());
      const primary = primaryOf(context, key, here, target);
      return found !== undefined && isInUse(before, primary, primary === here ? target : here) ? { inUse: primary } : found;
    },
    pace.ofPart,
  );
  if (difference === undefined || 'inUse' in difference) return difference;
  if (difference.class !== 'expired_in_flight') {
    const repaired = await pace.unit(0, () => repairUntilDone(context, key, rawId), pace.ofPart);
    // What cannot be written is a dead letter, which the gate counts; as a difference it would keep comparisons going for ever.
    if (!repaired) return undefined;
    await pace.unit(0, () => recordDifference(control, verification, key, difference, repaired), pace.ofPart);
    await journal.reach('verify.repaired', { class: difference.class, detail: difference.detail });
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

async function reportDeadLetter(context: MigrationContext, session: SourceSession): Promise<void> {
  const converted = convertSession(session, context);
  if (!converted.ok) await addDeadLetters(context.control, [converted.letter]);
}
