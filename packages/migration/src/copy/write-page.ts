import {
  addDeadLetters,
  carriedSessionKey,
  sessionIdText,
  type DeadLetter,
  type DeadLetterReason,
  type SourceSession,
} from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { Claim } from '../journal/work-parts.ts';
import { REFUSED, isRefusal } from '../repair/refusal.ts';
import { convertPage, type ConvertedPage, type LivingSession } from './convert-page.ts';
import { NO_COUNTS, addCounts, type CopyCounts } from './counts.ts';

/** Characters of session text in one write: what a statement holds, the driver and the shard hold several times. */
const WRITE_SIZE = 8 * 1024 * 1024;

/** What became of a page: the counts, and how many rows went to each shard, as `shard 0`. */
export type WrittenPage = CopyCounts & Readonly<Record<string, number>>;

/**
 * Writes a page's sessions to their shards. Repeatable. A session whose slot has changed since it was read is read again,
 * and left alone where the target is its primary side by then. Throws `lease_lost` when the worker's lease is over.
 */
export async function writePage(context: MigrationContext, claim: Claim, page: ConvertedPage): Promise<WrittenPage> {
  let written: WrittenPage = { ...NO_COUNTS, scanned: page.scanned };
  let waiting = page;
  for (let attempt = 0; ; attempt++) {
    const { counts, moved } = await writeOnce(context, claim, waiting);
    written = addCounts(written, counts);
    if (moved.length === 0) return written;
    for (const slot of new Set(moved.map(({ record }) => record.key.slot))) {
      const epoch = moved.find(({ record }) => record.key.slot === slot)?.epoch ?? 0;
      await context.target.follow(slot, epoch, attempt);
    }
    const again = await readAgain(context, moved);
    // Run out, or switched to the target meanwhile: the row there is what counts.
    written = addCounts(written, { present: moved.length - again.living.length - again.tombstones.length - again.letters.length });
    waiting = again;
  }
}

async function readAgain(context: MigrationContext, moved: readonly LivingSession[]): Promise<ConvertedPage> {
  await context.slots.refresh();
  const mapVersion = context.slots.version;
  const here = moved.filter(({ record }) => context.slots.entry(record.key.slot).side === 'source');
  const found = await context.source.get(here.map(({ rawId }) => rawId));
  return convertPage(context, { next: null, sessions: found.filter((session) => session !== undefined) }, mapVersion);
}

interface WrittenOnce {
  readonly counts: Readonly<Record<string, number>>;
  /** Not written: their slots have another epoch than when they were read. */
  readonly moved: readonly LivingSession[];
}

async function writeOnce(context: MigrationContext, claim: Claim, page: ConvertedPage): Promise<WrittenOnce> {
  const isEnded = (id: bigint): boolean => context.ended.isSessionEnded(sessionIdText(id));
  const ended: Pick<SourceSession, 'rawId' | 'ended'>[] = [...page.tombstones];
  const sessions: LivingSession[] = [];
  // Asked now, not when it was read ahead.
  for (const session of page.living) {
    if (isEnded(session.record.key.id)) ended.push({ rawId: session.rawId, ended: false });
    else sessions.push(session);
  }
  const letters: DeadLetter[] = page.letters.filter(({ id }) => !isEnded(id));
  const byShard = Array.from({ length: context.shards.size }, () => 0);
  let present = 0;
  const moved: LivingSession[] = [];
  for (const portion of portions(sessions)) {
    context.worker.check(claim.worker);
    const outcomes = await put(context, portion);
    for (const [index, session] of portion.entries()) {
      const outcome = outcomes[index];
      if (outcome === 'not_owned') moved.push(session);
      else if (outcome === 'collision') letters.push(letterOf(session, 'id_collision', 'another session has the same primary key'));
      else if (outcome === 'unstorable') letters.push(letterOf(session, 'unstorable', REFUSED));
      else if (outcome === 'applied') {
        const shard = context.slots.shardOf(session.record.key.slot);
        byShard[shard] = (byShard[shard] ?? 0) + 1;
      } else present++;
    }
  }
  await addDeadLetters(context.control, letters);
  await endAll(context, ended);
  const copied = byShard.reduce((sum, count) => sum + count, 0);
  const shards = Object.fromEntries(byShard.map((count, shard) => [`shard ${shard}`, count]));
  return { counts: { ...shards, copied, present, ended: ended.length, deadLetters: letters.length }, moved };
}

type PutOutcome = Awaited<ReturnType<MigrationContext['target']['putMany']>>[number] | 'unstorable';

/** Where a shard refuses a batch, each of its sessions is tried alone: what it refuses alone as well must not hold up the others. */
async function put(context: MigrationContext, sessions: readonly LivingSession[]): Promise<readonly PutOutcome[]> {
  try {
    return await context.target.putMany(
      sessions.map(({ record }) => record),
      sessions.map(({ epoch }) => epoch),
    );
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const outcomes = await Promise.all(sessions.map(async (session) => putAlone(context, session)));
    // A shard that refuses everything is at fault itself: no session is given up for that.
    if (sessions.length > 1 && outcomes.every((outcome) => outcome === 'unstorable')) throw error;
    return outcomes;
  }
}

async function putAlone(context: MigrationContext, { record, epoch }: LivingSession): Promise<PutOutcome> {
  try {
    return await context.target.put(record, epoch);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return 'unstorable';
  }
}

/** Portions that a statement can hold; a session larger than that comes alone. */
function* portions(sessions: readonly LivingSession[]): Generator<LivingSession[]> {
  let portion: LivingSession[] = [];
  let size = 0;
  for (const session of sessions) {
    const length = session.record.attributes.length;
    if (portion.length > 0 && size + length > WRITE_SIZE) {
      yield portion;
      portion = [];
      size = 0;
    }
    portion.push(session);
    size += length;
  }
  if (portion.length > 0) yield portion;
}

function letterOf({ record }: LivingSession, reason: DeadLetterReason, detail: string): DeadLetter {
  const { slot, id } = record.key;
  return { slot, id, sourceRef: record.sourceRef ?? Buffer.alloc(0), reason, detail };
}

/** Ended wins: what one side knows as ended is ended on both. */
async function endAll(context: MigrationContext, sessions: readonly Pick<SourceSession, 'rawId' | 'ended'>[]): Promise<void> {
  for (const { rawId, ended } of sessions) {
    const key = carriedSessionKey(rawId);
    if (!ended) await context.source.end(rawId, context.tombstoneMs, context.slots.entry(key.slot).epoch);
    await context.target.end(key, context.now());
  }
}
