/** A confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Below this many events the normal approximation behind the score interval is too rough at the far end. */
const FEW_EVENTS = 100;
const BISECTIONS = 80;

/**
 * The score interval of a share of `count` in `total` at `z` standard deviations (E. B. Wilson, 1927). Unlike the
 * textbook interval it holds for shares near 0.
 */
export function wilsonInterval(count: number, total: number, z: number): Interval {
  if (total === 0) return { low: 0, high: 1 };
  const share = count / total;
  const square = z * z;
  const centre = share + square / (2 * total);
  const half = z * Math.sqrt((share * (1 - share)) / total + square / (4 * total * total));
  const scale = 1 + square / total;
  return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) };
}

/**
 * The interval of the difference of two independent shares, first less second: the square-and-add method on two score
 * intervals (R. G. Newcombe, Statistics in Medicine 17, 1998, method 10).
 */
export function differenceInterval(count: number, total: number, otherCount: number, otherTotal: number, z: number): Interval {
  const one = wilsonInterval(count, total, z);
  const other = wilsonInterval(otherCount, otherTotal, z);
  const share = total === 0 ? 0 : count / total;
  const otherShare = otherTotal === 0 ? 0 : otherCount / otherTotal;
  const difference = share - otherShare;
  return {
    low: difference - Math.hypot(share - one.low, other.high - otherShare),
    high: difference + Math.hypot(one.high - share, otherShare - other.low),
  };
}

/**
 * Lower bound of a share at `z` standard deviations, one-sided. Of few events it is the exact one (C. J. Clopper and E. S.
 * Pearson, 1934), because the limits judged by it lie at one in 100,000; of many the score interval's.
 */
export function shareAtLeast(count: number, total: number, z: number): number {
  if (count <= 0 || total <= 0) return 0;
  if (count >= FEW_EVENTS) return wilsonInterval(count, total, z).low;
  const alpha = normalTail(z);
  let [low, high] = [0, count / total];
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    if (binomialTail(count, total, middle) < alpha) low = middle;
    else high = middle;
  }
  return low;
}

/** Chance of `count` or more successes in `total` tries of chance `share`. For few successes: one term each. */
export function binomialTail(count: number, total: number, share: number): number {
  if (count <= 0) return 1;
  if (share <= 0) return 0;
  if (share >= 1) return 1;
  // Sums the terms below `count` from the first on; where that underflows, the tail is all there is.
  let term = Math.exp(total * Math.log1p(-share));
  let below = 0;
  for (let successes = 0; successes < count; successes++) {
    below += term;
    term *= ((total - successes) / (successes + 1)) * (share / (1 - share));
  }
  return Math.max(0, 1 - below);
}

/** Chance that a standard normal value lies above `z`, to 1e-7 (M. Abramowitz and I. A. Stegun, 7.1.26). */
export function normalTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const above = (series * Math.exp(-x * x)) / 2;
  return z >= 0 ? above : 1 - above;
}
