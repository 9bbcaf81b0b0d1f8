/** What one contender did in one round. */
export interface Round {
  /** The figure that is compared: operations a second, or milliseconds. */
  readonly value: number;
  /** Operations that did not succeed. A round with any is void. */
  readonly faults: number;
}

/** The middle value; the mean of the two middle ones where their number is even. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which the share `p` of the values lies (nearest rank). NaN of none. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

/** The rounds that count. */
export function validOf(rounds: readonly Round[]): readonly Round[] {
  return rounds.filter(({ value, faults }) => faults === 0 && Number.isFinite(value) && value > 0);
}

/**
 * The median of `ours / theirs`, round by round: what disturbs the machine for a while disturbs both sides of a pair.
 * Pairs with a void side are left out; NaN when none is left.
 */
export function pairedRatio(ours: readonly Round[], theirs: readonly Round[]): number {
  const ratios: number[] = [];
  for (const [index, round] of ours.entries()) {
    const other = theirs[index];
    if (other === undefined || validOf([round, other]).length < 2) continue;
    ratios.push(round.value / other.value);
  }
  return median(ratios);
}
