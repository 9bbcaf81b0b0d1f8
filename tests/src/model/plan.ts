import type { Fault } from '../support/faults.ts';

/** How many log-ins a run begins with. */
export const LOG_INS = 3;
/** Lives that saves and touches give, ms: far apart, so that an expiry tells which of them was the last. */
export const LIVES_MS: Lives = [600_000, 1_200_000, 2_400_000];
/** A life that runs out in the middle of a run. */
export const SHORT_MS = 600;
/** Lives of runs in which sessions run out, or are saved from it by a longer life. */
export const SHORT_LIVES_MS: Lives = [SHORT_MS, 600_000, 600_000];
/** How long an application is idle at a time, ms. */
export const IDLE_MS = 200;

/** What saves and touches choose from, ms. */
export type Lives = readonly [number, number, number];

/** What a request of an application does to a log-in's session. */
export interface Request {
  readonly kind: 'save' | 'touch' | 'end' | 'rotate' | 'idle';
  /** 0 … LOG_INS - 1. */
  readonly logIn: number;
  /** Index into the plan's lives. */
  readonly life: number;
}

/** What the migrator does: `copy` only first. */
export type Phase = 'copy' | 'verify' | 'repair' | 'forward' | 'back';

/** What is done in one run, by actors that run at the same time. */
export interface Plan {
  /** True: everything was copied and compared before the actors begin. */
  readonly prepared: boolean;
  /** The primary side at the beginning; `target` only where all is prepared. */
  readonly side: 'source' | 'target';
  readonly lives: Lives;
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
