import type { Fault } from '../support/faults.ts';

/** How many log-ins a run begins with. */
export const LOG_INS = 3;
/** Lives that saves and touches give, ms: far apart, so that an expiry tells which of them was the last. */
export const LIVES_MS = [600_000, 1_200_000, 2_400_000] as const;

/** What a request of an application does to a log-in's session. */
export interface Request {
  readonly kind: 'save' | 'touch' | 'end' | 'rotate';
  /** 0 … LOG_INS - 1. */
  readonly logIn: number;
  /** Index into LIVES_MS. */
  readonly life: number;
}

/** What the migrator does: `copy` only first. */
export type Phase = 'copy' | 'verify' | 'repair' | 'forward' | 'back';

/** What is done in one run, by actors that run at the same time. */
export interface Plan {
  /** True: everything was copied and compared before the actors begin. */
  readonly prepared: boolean;
  /** Requests of two application processes. */
  readonly requests: readonly [readonly Request[], readonly Request[]];
  /** Log-ins that the gateway looks up. */
  readonly reads: readonly number[];
  readonly phases: readonly Phase[];
  /** Faults of each application process. */
  readonly faults: readonly [readonly Fault[], readonly Fault[]];
  /** Application processes that lapse, in turn. */
  readonly lapses: readonly (0 | 1)[];
}
