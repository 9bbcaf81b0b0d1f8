import type { SourcePartition } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { Checkpoint } from '../journal/journal.ts';
import type { Claim } from '../journal/work-parts.ts';
import { RateWindow } from '../rate-window.ts';
import { workThrough } from '../work-through.ts';
import { convertPage, type ConvertedPage } from './convert-page.ts';
import { NO_COUNTS, addCounts, type CopyCounts } from './counts.ts';
import { writePage, type WrittenPage } from './write-page.ts';

/** Characters of session text in a page: several pages are in memory at once. */
const PAGE_SIZE = 16 * 1024 * 1024;
/** Sessions in the first page of a part, before it is known how large they are. */
const FIRST_PAGE = 100;

/**
 * Copies every session of the source into the shards: insert-or-newer, so that what instrumented writers have mirrored
 * meanwhile stays, and repeating any part is harmless. Whoever leads announces the parts and works on them beside all
 * other workers, until all are done. Each worker reads one part at a time: one scan a process is what a live source
 * should bear, and more processes are there for more.
 */
export async function copySessions(context: MigrationContext): Promise<CopyCounts> {
  const { source, journal, pace } = context;
  const total = await pace.unit(0, () => source.count());
  const announce = async (): Promise<void> => {
    const partitions = await source.partitions();
    const expected = partitions.length === 0 ? 0 : total / partitions.length;
    await journal.parts.open(
      'copy',
      0n,
      partitions.map(({ id, incarnation }) => ({ part: id, incarnation, expected })),
    );
  };
  const parts = await workThrough(context, { pass: 'copy', announce, work: copyPart });
  let sum = NO_COUNTS;
  for (const { counts } of parts) {
    const { scanned = 0, copied = 0, present = 0, ended = 0, deadLetters = 0 } = counts;
    sum = addCounts(sum, { scanned, copied, present, ended, deadLetters });
  }
  await journal.reach('copy.done', { ...sum });
  return sum;
}

/**
 * Copies one part from its checkpoint on. A page's checkpoint is written after its rows and those of all pages before it;
 * the next ones are read and written meanwhile.
 */
export async function copyPart(context: MigrationContext, claim: Claim, tell: () => Promise<void>): Promise<undefined> {
  const { journal, pace, source, slots } = context;
  const { incarnation } = claim.checkpoint;
  const partition: SourcePartition = { id: claim.part, incarnation };
  const rate = new RateWindow();
  let counts: Readonly<Record<string, number>> = { ...NO_COUNTS, ...claim.checkpoint.counts };
  let limit = Math.min(FIRST_PAGE, pace.batchSize);
  const scan = async (cursor: string | null): Promise<ConvertedPage> => {
    const mapVersion = slots.version;
    const found = await pace.unit(limit, () => source.scan(partition, cursor, limit, pace.signal), pace.ofPart);
    const page = convertPage(context, found, mapVersion);
    const largest = page.size === 0 ? pace.batchSize : Math.max(1, Math.floor((PAGE_SIZE / page.size) * page.scanned));
    limit = Math.min(pace.batchSize, largest);
    return page;
  };
  /** Waits for a page's rows and writes its checkpoint. */
  const finish = async ({ next, scanned }: ConvertedPage, written: Promise<WrittenPage>): Promise<void> => {
    counts = addCounts(counts, await written);
    rate.add(scanned);
    await journal.reach('copy.page-written');
    const checkpoint: Checkpoint = { incarnation, cursor: next, done: next === null, counts };
    await pace.unit(0, () => journal.parts.save(claim, checkpoint, { rate: rate.perSecond, pace: { ...pace.report } }), pace.ofPart);
    await journal.reach('copy.checkpoint');
    await tell();
  };
  let page: ConvertedPage | undefined = await scan(claim.checkpoint.cursor);
  // The page in front: while its rows are on their way, the next one's follow, and a third is read and converted.
  let inFront: Promise<void> = Promise.resolve();
  let writing: Promise<WrittenPage> | undefined;
  try {
    while (page !== undefined) {
      const current: ConvertedPage = page;
      await journal.reach('copy.page-read');
      const ahead = current.next === null ? undefined : scan(current.next);
      writing = pace.unit(0, () => writePage(context, claim, current), pace.ofPart);
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
  await journal.reach('copy.partition-done', { partition: claim.part });
}
