import {
  addDeadLetters,
  carriedSessionKey,
  convertSession,
  sessionIdText,
  type DeadLetter,
  type SessionRecord,
  type SourcePage,
  type SourcePartition,
  type SourceSession,
} from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { Checkpoint } from '../journal/journal.ts';
import { ProgressMeter } from '../progress.ts';

/** What a copy did with the sessions that it met. */
export interface CopyCounts {
  readonly scanned: number;
  readonly copied: number;
  /** Already there, as new or newer. */
  readonly present: number;
  /** Ended on one side or in a termination record. */
  readonly ended: number;
  readonly deadLetters: number;
}

const NOTHING: CopyCounts = { scanned: 0, copied: 0, present: 0, ended: 0, deadLetters: 0 };

/**
 * Copies every session of the source into the shards: insert-or-newer, so that what instrumented writers have mirrored
 * meanwhile stays, and repeating any part is harmless. A page's checkpoint is written after its rows and those of all
 * pages before it; the next ones are read and written meanwhile. Parts run in turn: one scan at a time is what a live
 * source should bear.
 */
export async function copySessions(context: MigrationContext): Promise<CopyCounts> {
  const { source, journal } = context;
  const total = await context.pace.unit(0, () => source.count());
  const partitions = await context.pace.unit(0, () => source.partitions());
  const meter = new ProgressMeter(context.progress, 'copy', total);
  let sum = NOTHING;
  for (const partition of partitions) sum = add(sum, await copyPartition(context, partition, meter, sum));
  meter.tell();
  await journal.reach('copy.done', { ...sum });
  return sum;
}

/** `before`: what the parts in front of this one came to, for the progress. */
async function copyPartition(
  context: MigrationContext,
  partition: SourcePartition,
  meter: ProgressMeter,
  before: CopyCounts,
): Promise<CopyCounts> {
  const { batchSize, journal, pace, source } = context;
  const resumed = await pace.unit(0, () => journal.checkpoint('copy', partition.id, partition.incarnation));
  let counts = { ...NOTHING, ...resumed?.counts };
  meter.add(counts.scanned);
  if (resumed?.done === true) return counts;
  const scan = async (cursor: string | null): Promise<ConvertedPage> =>
    convertPage(context, await pace.unit(batchSize, () => source.scan(partition, cursor, batchSize, pace.signal)));
  /** Waits for a page's rows and writes its checkpoint. */
  const finish = async ({ next, scanned }: ConvertedPage, written: Promise<CopyCounts>): Promise<void> => {
    counts = add(counts, await written);
    await journal.reach('copy.page-written');
    const checkpoint: Checkpoint = { incarnation: partition.incarnation, cursor: next, done: next === null, counts: { ...counts } };
    await pace.unit(0, () => journal.save('copy', partition.id, checkpoint));
    await journal.reach('copy.checkpoint');
    meter.add(scanned, { copied: before.copied + counts.copied, 'dead letters': before.deadLetters + counts.deadLetters });
  };
  let page: ConvertedPage | undefined = await scan(resumed?.cursor ?? null);
  // The page in front: while its rows are on their way, the next one's follow, and a third is read and converted.
  let inFront: Promise<void> = Promise.resolve();
  let writing: Promise<CopyCounts> | undefined;
  try {
    while (page !== undefined) {
      const current: ConvertedPage = page;
      await journal.reach('copy.page-read');
      const ahead = current.next === null ? undefined : scan(current.next);
      writing = pace.unit(0, () => writePage(context, current));
      // Awaited below, also when something else fails first.
      for (const promise of [ahead, writing]) promise?.catch(() => undefined);
      // Its checkpoint stands for all pages before it, so it comes after theirs.
      await inFront;
      inFront = finish(current, writing);
      inFront.catch(() => undefined);
      page = await ahead;
    }
  } finally {
    // Whatever happened, nothing goes on behind the back of the caller.
    await Promise.allSettled([inFront, writing]);
  }
  await inFront;
  await journal.reach('copy.partition-done', { partition: partition.id });
  return counts;
}

/** A page of the source as it goes to the shards. */
interface ConvertedPage {
  readonly next: string | null;
  readonly scanned: number;
  readonly living: readonly { readonly rawId: string; readonly record: SessionRecord }[];
  readonly tombstones: readonly SourceSession[];
  readonly letters: readonly DeadLetter[];
}

function convertPage(context: MigrationContext, { next, sessions }: SourcePage): ConvertedPage {
  const living: { rawId: string; record: SessionRecord }[] = [];
  const tombstones: SourceSession[] = [];
  const letters: DeadLetter[] = [];
  for (const session of sessions) {
    if (session.ended) {
      tombstones.push(session);
      continue;
    }
    const converted = convertSession(session, context);
    if (converted.ok) living.push({ rawId: session.rawId, record: converted.record });
    else letters.push(converted.letter);
  }
  return { next, scanned: sessions.length, living, tombstones, letters };
}

/** Writes a page's sessions to their shards. Repeatable. */
async function writePage(context: MigrationContext, page: ConvertedPage): Promise<CopyCounts> {
  const isEnded = (id: bigint): boolean => context.ended.isSessionEnded(sessionIdText(id));
  const ended: EndedSession[] = [...page.tombstones];
  const records: SessionRecord[] = [];
  // Asked now, not when it was read ahead.
  for (const { rawId, record } of page.living) {
    if (isEnded(record.key.id)) ended.push({ rawId, ended: false });
    else records.push(record);
  }
  const letters = page.letters.filter(({ id }) => !isEnded(id));
  const { applied, collisions } = await putUnderCurrentEpochs(context, records);
  const collided = collisions.map((record) => ({
    slot: record.key.slot,
    id: record.key.id,
    sourceRef: record.sourceRef ?? Buffer.alloc(0),
    reason: 'id_collision' as const,
    detail: 'another session has the same primary key',
  }));
  await addDeadLetters(context.control, [...letters, ...collided]);
  await endPage(context, ended);
  return {
    scanned: page.scanned,
    copied: applied,
    present: records.length - applied - collisions.length,
    ended: ended.length,
    deadLetters: letters.length + collided.length,
  };
}

interface PutResult {
  readonly applied: number;
  readonly collisions: readonly SessionRecord[];
}

/** The epoch of a slot may change under a page; its rows are then put under the new one. Insert-or-newer makes that right under any. */
async function putUnderCurrentEpochs(context: MigrationContext, records: readonly SessionRecord[]): Promise<PutResult> {
  const collisions: SessionRecord[] = [];
  let applied = 0;
  let waiting = records;
  while (waiting.length > 0) {
    const epochs = waiting.map(({ key }) => context.slots.entry(key.slot).epoch);
    const outcomes = await context.target.putMany(waiting, epochs);
    const moved: SessionRecord[] = [];
    for (const [index, record] of waiting.entries()) {
      const outcome = outcomes[index];
      if (outcome === 'applied') applied++;
      else if (outcome === 'collision') collisions.push(record);
      else if (outcome === 'not_owned') moved.push(record);
    }
    if (moved.length > 0) await context.slots.refresh();
    waiting = moved;
  }
  return { applied, collisions };
}

/** A session that ended on one side or in a termination record. */
type EndedSession = Pick<SourceSession, 'rawId' | 'ended'>;

/** Ended wins: what one side knows as ended is ended on both. */
async function endPage(context: MigrationContext, sessions: readonly EndedSession[]): Promise<void> {
  for (const { rawId, ended } of sessions) {
    const key = carriedSessionKey(rawId);
    if (!ended) await context.source.end(rawId, context.tombstoneMs, context.slots.entry(key.slot).epoch);
    await context.target.end(key, context.now());
  }
}

function add(a: CopyCounts, b: CopyCounts): CopyCounts {
  return {
    scanned: a.scanned + b.scanned,
    copied: a.copied + b.copied,
    present: a.present + b.present,
    ended: a.ended + b.ended,
    deadLetters: a.deadLetters + b.deadLetters,
  };
}
