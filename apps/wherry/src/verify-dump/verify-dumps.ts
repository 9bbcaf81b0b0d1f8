import { compareEntries, type DumpDifference, type Found } from './compare-entries.ts';
import type { DumpEntry } from './dump-line.ts';
import { SortedDump } from './sorted-dump.ts';

/** Options of {@link verifyDumps}. */
export interface VerifyDumpsOptions {
  /** Sessions shown of each class; default 5. */
  readonly sample?: number;
  /** Bytes of sessions that are sorted at a time; default 16 MiB. */
  readonly memoryBytes?: number;
}

/** What a comparison of two exports found. */
export interface DumpVerdict {
  /** True when nothing is wrong: what ran out meanwhile and what cannot be carried does not count. */
  readonly equal: boolean;
  readonly sides: readonly [string, string];
  /** Different ids in both. */
  readonly compared: number;
  /** Alive in both, with the same meaning. */
  readonly same: number;
  readonly counts: Readonly<Record<DumpDifference, number>>;
  /** The first of each class: the start of the digest, and what differs. */
  readonly samples: readonly { readonly difference: DumpDifference; readonly id: string; readonly detail: string }[];
}

const SHOWN_DIGITS = 16;

/**
 * Compares two exports of sessions in memory that does not grow with them. It shares no code with what copies, mirrors
 * and verifies: this file and those beside it import nothing but Node. Errors: {@link DumpFault}.
 */
export function verifyDumps(firstPath: string, secondPath: string, options: VerifyDumpsOptions = {}): DumpVerdict {
  const { sample = 5, memoryBytes = 16 * 1024 * 1024 } = options;
  using first = new SortedDump(firstPath, memoryBytes);
  using second = new SortedDump(secondPath, memoryBytes);
  const finished = { first: first.footer.finished, second: second.footer.finished };
  const counts = { missing: 0, extra: 0, differs: 0, ended_here_alive_there: 0, expired_in_flight: 0, not_carried: 0 };
  const samples: { difference: DumpDifference; id: string; detail: string }[] = [];
  let compared = 0;
  let same = 0;
  const note = (id: string, { difference, detail }: Found): void => {
    if (counts[difference]++ < sample) samples.push({ difference, id: id.slice(0, SHOWN_DIGITS), detail });
  };
  for (const [id, a, b] of joined(first.entries(), second.entries())) {
    compared++;
    const found = compareEntries(a, b, finished);
    if (found !== undefined) note(id, found);
    else if (a?.state === 'live') same++;
  }
  const equal = counts.missing + counts.extra + counts.differs + counts.ended_here_alive_there === 0;
  return { equal, sides: [first.header.side, second.header.side], compared, same, counts, samples };
}

/** Both exports side by side, in the order of the ids. */
function* joined(
  first: Generator<DumpEntry>,
  second: Generator<DumpEntry>,
): Generator<readonly [string, DumpEntry | undefined, DumpEntry | undefined]> {
  let a = next(first);
  let b = next(second);
  while (a !== undefined || b !== undefined) {
    if (b === undefined || (a !== undefined && a.id < b.id)) {
      if (a !== undefined) yield [a.id, a, undefined];
      a = next(first);
    } else if (a === undefined || b.id < a.id) {
      yield [b.id, undefined, b];
      b = next(second);
    } else {
      yield [a.id, a, b];
      a = next(first);
      b = next(second);
    }
  }
}

function next(entries: Generator<DumpEntry>): DumpEntry | undefined {
  const { done, value } = entries.next() as IteratorResult<DumpEntry, undefined>;
  return done === true ? undefined : value;
}
