import type { PartView, PassName } from '@wherry/migration';

/** A part of the pass that is worked on, as plain values. */
export interface PartStatus extends PartView {
  /** Time left at its present rate, ms; null: not known. */
  readonly leftMs: number | null;
}

/** What has been done at one shard. */
export interface ShardStatus {
  readonly shard: number;
  /** Rows written by the copy, and how many a second now. */
  readonly copied: number;
  readonly copyRate: number;
  /** Rows looked at by the newest comparison, of about so many. */
  readonly compared: number;
  readonly expected: number;
  readonly leftMs: number | null;
}

/** How the work is shared out, and how far it is. */
export interface WorkStatus {
  /** Live processes that work on parts. */
  readonly workers: number;
  /** Sessions a second, all workers together. */
  readonly rate: number;
  /** Time left for the pass that is under way, ms; null: none is, or not known. */
  readonly leftMs: number | null;
  /** By pass, in the order in which they are taken. */
  readonly parts: readonly PartStatus[];
  readonly shards: readonly ShardStatus[];
}

const SHARD_COUNT = /^shard (\d+)$/;
const SHARD_PART = /^target (\d+) /;

/** Puts the parts together. */
export function workStatus(views: readonly PartView[]): WorkStatus {
  const parts = views.map((part) => ({ ...part, leftMs: leftOf([part]) }));
  const working = views.filter(({ worker }) => worker !== null);
  const pass: PassName | undefined = working[0]?.pass;
  return {
    workers: new Set(working.map(({ worker }) => worker)).size,
    rate: working.reduce((sum, { rate }) => sum + rate, 0),
    leftMs: pass === undefined ? null : leftOf(views.filter((part) => part.pass === pass)),
    parts,
    shards: shardsOf(views),
  };
}

/** What is left of all of them, at the rate of those that are worked on. */
function leftOf(parts: readonly PartView[]): number | null {
  const open = parts.filter(({ done }) => !done);
  if (open.length === 0) return 0;
  const rate = open.reduce((sum, { worker, rate: own }) => sum + (worker === null ? 0 : own), 0);
  if (rate === 0 || open.some(({ expected }) => expected === 0)) return null;
  const left = open.reduce((sum, { expected, counts }) => sum + Math.max(0, expected - (counts['scanned'] ?? 0)), 0);
  return Math.round((left / rate) * 1000);
}

function shardsOf(views: readonly PartView[]): ShardStatus[] {
  const shards = new Map<number, ShardStatus>();
  const add = (shard: number, change: Partial<ShardStatus>): void => {
    const before = shards.get(shard) ?? { shard, copied: 0, copyRate: 0, compared: 0, expected: 0, leftMs: null };
    shards.set(shard, { ...before, ...change });
  };
  for (const { pass, counts, worker, rate } of views) {
    if (pass !== 'copy') continue;
    const scanned = counts['scanned'] ?? 0;
    for (const [name, count] of Object.entries(counts)) {
      const shard = Number(SHARD_COUNT.exec(name)?.[1] ?? -1);
      if (shard < 0) continue;
      const before = shards.get(shard);
      const now = worker === null || scanned === 0 ? 0 : (rate * count) / scanned;
      add(shard, { copied: (before?.copied ?? 0) + count, copyRate: (before?.copyRate ?? 0) + now });
    }
  }
  const ranges = Map.groupBy(views, ({ pass, part }) => (pass === 'verify' ? (SHARD_PART.exec(part)?.[1] ?? '') : ''));
  for (const [shard, parts] of ranges) {
    if (shard === '') continue;
    const compared = parts.reduce((sum, { counts }) => sum + (counts['scanned'] ?? 0), 0);
    add(Number(shard), { compared, expected: parts.reduce((sum, { expected }) => sum + expected, 0), leftMs: leftOf(parts) });
  }
  return [...shards.values()].toSorted((a, b) => a.shard - b.shard);
}
