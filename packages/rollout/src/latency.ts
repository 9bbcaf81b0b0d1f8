import type { Interval } from './statistics.ts';

/** Shortest duration that is told apart, milliseconds. */
const SHORTEST_MS = 0.05;
/** Classes in which durations double: neighbours differ by 9 %, less than half of what a guardrail looks for. */
const PER_DOUBLING = 8;
/** The last class holds everything from 95 s on. */
export const LATENCY_CLASSES = 168;

/** The class of a duration in milliseconds. */
export function latencyClass(ms: number): number {
  // Also false for NaN and for a clock that went back.
  if (!(ms > SHORTEST_MS)) return 0;
  const found = Math.floor(Math.log2(ms / SHORTEST_MS) * PER_DOUBLING);
  return found < LATENCY_CLASSES ? found : LATENCY_CLASSES - 1;
}

/** Where a class begins, milliseconds. */
export function classStartMs(index: number): number {
  return index === 0 ? 0 : SHORTEST_MS * 2 ** (index / PER_DOUBLING);
}

/** A quantile as a histogram shows it, milliseconds. */
export interface QuantileEstimate extends Interval {
  readonly value: number;
}

/**
 * The quantile `q` of a histogram with its interval at `z` standard deviations, free of any assumption on the
 * distribution: the ranks n·q ± z·√(n·q·(1 − q)) of the order statistics (H. A. David and H. N. Nagaraja, Order
 * Statistics, section 7.1). The bounds are rounded outward to the edges of their classes. undefined without requests.
 */
export function quantileEstimate(histogram: readonly number[], q: number, z: number): QuantileEstimate | undefined {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const spread = z * Math.sqrt(total * q * (1 - q));
  const low = classOfRank(histogram, Math.max(1, Math.floor(total * q - spread)));
  const high = classOfRank(histogram, Math.min(total, Math.ceil(total * q + spread) + 1));
  const middle = classOfRank(histogram, Math.max(1, Math.ceil(total * q)));
  return { low: classStartMs(low), high: classStartMs(high + 1), value: (classStartMs(middle) + classStartMs(middle + 1)) / 2 };
}

function classOfRank(histogram: readonly number[], rank: number): number {
  let seen = 0;
  for (let index = 0; index < histogram.length; index++) {
    seen += histogram[index] ?? 0;
    if (seen >= rank) return index;
  }
  return histogram.length - 1;
}
