/** How long the copy and two comparisons take, and how many sessions end by themselves meanwhile. */
export interface TimeEstimate {
  readonly ms: number;
  /** Sessions a second that it was reckoned with. */
  readonly rate: number;
  readonly expireMeanwhile: number;
}

/** Sessions a second that a migration on small machines is known to reach. */
const ASSUMED_RATE = 10_000;
/** Copy, and a verification in each direction. */
const STEPS_OVER_ALL = 3;

/** Estimates from a sample; `rate` is the operator's bound, 0 or absent: none. */
export function estimateTime(known: {
  readonly sessions: number;
  readonly sampled: number;
  /** Of the sampled ones that end. */
  readonly secondsLeft: readonly number[];
  readonly rate?: number;
}): TimeEstimate {
  const { sessions, sampled, secondsLeft, rate: bound = 0 } = known;
  const rate = bound > 0 ? Math.min(bound, ASSUMED_RATE) : ASSUMED_RATE;
  const ms = Math.round(((sessions * STEPS_OVER_ALL) / rate) * 1000);
  const expiring = secondsLeft.filter((seconds) => seconds * 1000 <= ms).length;
  return { ms, rate, expireMeanwhile: sampled === 0 ? 0 : Math.round((expiring / sampled) * sessions) };
}
