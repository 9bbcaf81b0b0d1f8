import { SLOT_COUNT } from '@wherry/shards';
import type { ScanCursor } from '@wherry/sessions/sql';

/** Some slots of one shard, as a part of a verification. */
export interface TargetRange {
  readonly shard: number;
  /** First slot. */
  readonly from: number;
  /** One past the last slot. */
  readonly to: number;
}

/** Into how many ranges the slots of a shard are cut: more workers than shards find work. */
const RANGES = 4;
/** Ids are positive and have 63 bits. */
const LAST_ID = 2n ** 63n - 1n;

/** The ranges of all shards. Each covers its share of all slots, whichever of them the shard owns: a row that lies where it should not is met too. */
export function targetRanges(shards: number): TargetRange[] {
  const width = SLOT_COUNT / RANGES;
  return Array.from({ length: shards * RANGES }, (_, n) => {
    const from = (n % RANGES) * width;
    return { shard: Math.floor(n / RANGES), from, to: from + width };
  });
}

/** Its name as a part. */
export function partOfRange({ shard, from, to }: TargetRange): string {
  return `target ${shard} ${from}-${to}`;
}

/** The range of a part's name; undefined: it is a part of the source. */
export function rangeOfPart(part: string): TargetRange | undefined {
  const [, shard, from, to] = /^target (\d+) (\d+)-(\d+)$/.exec(part) ?? [];
  return shard === undefined ? undefined : { shard: Number(shard), from: Number(from), to: Number(to) };
}

/** Where the scan of a range goes on; `cursor` is a checkpoint's. */
export function scanFrom({ from }: TargetRange, cursor: string | null): ScanCursor | null {
  if (cursor === null) return from === 0 ? null : { slot: from - 1, id: LAST_ID };
  const [slot = '', id = ''] = cursor.split(' ');
  return { slot: Number(slot), id: BigInt(id) };
}

/** The checkpoint's cursor behind `next`; null: nothing of the range lies behind it. */
export function cursorBehind({ to }: TargetRange, next: ScanCursor | null): string | null {
  return next === null || next.slot >= to ? null : `${next.slot} ${next.id}`;
}
