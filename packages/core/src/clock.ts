/** Where time comes from. Tests and model runs put their own in. */
export interface Clock {
  /** Wall time in epoch milliseconds. May jump in both directions. */
  now(): number;
  /** Milliseconds from an arbitrary start. Never goes back; use it for leases, ages and deadlines. */
  monotonic(): number;
}

/** The clocks of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
