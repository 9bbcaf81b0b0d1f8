import type { MigrationContext } from '../context.ts';
import type { Verification } from '../journal/journal.ts';
import { workThrough } from '../work-through.ts';
import type { DifferenceClass } from './compare.ts';
import { CLASS_COUNT, DETAIL_COUNT } from './suspects.ts';
import { partOfRange, targetRanges } from './target-ranges.ts';
import { SOURCE_PART, verifyPart } from './verify-part.ts';

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
 * grace, because a live write may be on its way; what still differs is counted by class and repaired. All workers share
 * in it; only whoever leads calls this.
 */
export async function verifySessions(context: MigrationContext, verification: Verification): Promise<VerifyCounts> {
  const { journal, pace, source, shards } = context;
  const total = await pace.unit(0, () => source.count());
  const ranges = targetRanges(shards.size);
  const announce = async (): Promise<void> => {
    const partitions = await source.partitions();
    await journal.parts.open('verify', verification.pass, [
      ...partitions.map(({ id, incarnation }) => ({ part: SOURCE_PART + id, incarnation, expected: total / partitions.length })),
      ...ranges.map((range) => ({ part: partOfRange(range), incarnation: '', expected: total / ranges.length })),
    ]);
  };
  const parts = await workThrough(context, { pass: 'verify', announce, work: verifyPart });
  let compared = 0;
  let repaired = 0;
  const differences: Partial<Record<DifferenceClass, number>> = {};
  const details: Record<string, number> = {};
  for (const { counts } of parts) {
    compared += counts['scanned'] ?? 0;
    repaired += counts['repaired'] ?? 0;
    for (const [name, count] of Object.entries(counts)) {
      if (name.startsWith(CLASS_COUNT)) addTo(differences, name.slice(CLASS_COUNT.length), count);
      else if (name.startsWith(DETAIL_COUNT)) addTo(details, name.slice(DETAIL_COUNT.length), count);
    }
  }
  return { compared, differences, details, repaired };
}

function addTo(sums: Record<string, number>, name: string, count: number): void {
  sums[name] = (sums[name] ?? 0) + count;
}
