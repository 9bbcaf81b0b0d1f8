import type { RolloutArm, RolloutMeter, RolloutState } from '@wherry/rollout';
import { readCompactJws, readUnproved } from '@wherry/tokens';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../caller.ts';
import type { Outcome } from '../outcome.ts';

/** Options of {@link ArmCounts}. */
export interface ArmCountsOptions {
  readonly rollout: RolloutState;
  readonly meter: RolloutMeter;
}

/** Refusals of one user that count, each this many milliseconds. */
const MOST_REFUSED = 5;
const REFUSED_EVERY_MS = 10_000;

/**
 * Counts requests for the arm of their user, where there are arms to compare: in `led` and `preferred`. Synchronous
 * answers count as 0 ms.
 *
 * The user of a refused token is the one that it names, proved or not, for what a broken client sends proves nothing.
 * Strangers could make a guardrail trip by that if they knew who is led; they do not, and one user counts a few times only.
 */
export class ArmCounts {
  readonly #rollout: RolloutState;
  readonly #meter: RolloutMeter;
  readonly #refused = new LRUCache<string, { until: number; count: number }>({ max: 10_000 });

  constructor({ rollout, meter }: ArmCountsOptions) {
    this.#rollout = rollout;
    this.#meter = meter;
  }

  /** True where there are arms: elsewhere requests are not worth a count. */
  get active(): boolean {
    if (!this.#isLoaded) return false;
    const { phase } = this.#rollout.rollout;
    return phase === 'led' || phase === 'preferred';
  }

  /** A request that was judged. `token`: the JWT that it was judged by, if any. `now`: epoch ms. */
  judged(outcome: Outcome, token: string | undefined, ms: number, now: number): void {
    if (outcome.ok) {
      this.#meter.request(this.#armOf(outcome), 'ok', ms);
      return;
    }
    const { status } = outcome.answer;
    if (status !== 401 && status !== 503) return;
    const userId = token === undefined ? undefined : subjectOf(token);
    if (userId === undefined || !this.#counts(userId, now)) return;
    this.#meter.request(this.#rollout.policyFor(userId).arm, status === 401 ? 'unauthorized' : 'unavailable', ms);
  }

  /** In every phase: these guardrails need nobody to compare with. */
  renewal(userId: string, outcome: 'ok' | 'failed'): void {
    if (this.#isLoaded) this.#meter.renewal(this.#rollout.policyFor(userId).arm, outcome);
  }

  /** In every phase, likewise. */
  compared(caller: Caller, differs: boolean): void {
    if (this.#isLoaded) this.#meter.compared(this.#armOf(caller), differs);
  }

  /** A caller is remembered over many requests, and his arm with him. */
  #armOf(caller: Caller): RolloutArm {
    const { seq } = this.#rollout.rollout;
    if (caller.armSeq !== seq) {
      caller.arm = this.#rollout.policyFor(caller.principal.userId, caller.principal.clientId).arm;
      caller.armSeq = seq;
    }
    return caller.arm;
  }

  get #isLoaded(): boolean {
    return this.#rollout.course >= 0;
  }

  #counts(userId: string, now: number): boolean {
    const known = this.#refused.get(userId);
    if (known === undefined || now >= known.until || now < known.until - REFUSED_EVERY_MS) {
      this.#refused.set(userId, { until: now + REFUSED_EVERY_MS, count: 1 });
      return true;
    }
    return ++known.count <= MOST_REFUSED;
  }
}

/** The user whom a token names, without a proof; undefined: it has no form to name one in. */
function subjectOf(token: string): string | undefined {
  const jws = readCompactJws(token);
  const sub = jws.ok ? readUnproved(jws.payload)?.['sub'] : undefined;
  return typeof sub === 'string' && sub !== '' ? sub : undefined;
}
