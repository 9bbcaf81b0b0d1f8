/** How long the stores take to answer a small question, and how far replicas are behind, ms; null: not known or not looked at. */
export interface StoreLatencies {
  readonly sourceMs: number | null;
  readonly targetMs: number | null;
  readonly replicaLagMs: number | null;
}

/** What each may be at most; 0: any. */
export interface LatencyLimits {
  readonly sourceMs: number;
  readonly targetMs: number;
  readonly replicaLagMs: number;
}

/** Nothing is looked at. */
export const NO_LIMITS: LatencyLimits = { sourceMs: 0, targetMs: 0, replicaLagMs: 0 };

const LEAST = 0.05;
const CUT = 0.7;
const RISE = 0.05;

/**
 * How much of its full speed the work may have: cut by a third with every look at which a store is slower than it may be,
 * raised by a twentieth with every other (additive increase, multiplicative decrease). It never comes to a stop, so that it can find out
 * that the store has recovered.
 */
export class Throttle {
  readonly #limits: LatencyLimits;
  #share = 1;

  constructor(limits: LatencyLimits) {
    this.#limits = limits;
  }

  /** 0.05 to 1. */
  get share(): number {
    return this.#share;
  }

  /** True where there is anything to look at. */
  get watches(): boolean {
    return Object.values(this.#limits).some((limit) => limit > 0);
  }

  /** Takes a look's figures; answers the share from now on. */
  observe(latencies: StoreLatencies): number {
    const slow = (['sourceMs', 'targetMs', 'replicaLagMs'] as const).some((name) => {
      const found = latencies[name];
      return this.#limits[name] > 0 && found !== null && found > this.#limits[name];
    });
    this.#share = slow ? Math.max(LEAST, this.#share * CUT) : Math.min(1, this.#share + RISE);
    return this.#share;
  }
}
