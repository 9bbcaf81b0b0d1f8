/** Counts per range; the last range is open. */
export interface HistogramBin {
  /** Upper bound, inclusive; null: no bound. */
  readonly upTo: number | null;
  readonly count: number;
}

/** Bounds of times left to live, seconds. */
export const TTL_BOUNDS: readonly number[] = [60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400];
/** Bounds of sizes of stored sessions, bytes. */
export const SIZE_BOUNDS: readonly number[] = [256, 1024, 4096, 16_384, 65_536, 262_144];

/** Counts values per range; `bounds` rise. */
export function histogram(values: readonly number[], bounds: readonly number[]): HistogramBin[] {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  for (const value of values) {
    const found = bounds.findIndex((bound) => value <= bound);
    const bin = found === -1 ? bounds.length : found;
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts.map((count, index) => ({ upTo: bounds[index] ?? null, count }));
}
