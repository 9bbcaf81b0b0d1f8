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

/** Nothing yet. */
export const NO_COUNTS: CopyCounts = { scanned: 0, copied: 0, present: 0, ended: 0, deadLetters: 0 };

/** The sums by name; names that only one side has stay. */
export function addCounts<T extends Readonly<Record<keyof T, number>>>(a: T, b: Readonly<Record<string, number>>): T {
  const sum: Record<string, number> = { ...(a as Readonly<Record<string, number>>) };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum as T;
}
