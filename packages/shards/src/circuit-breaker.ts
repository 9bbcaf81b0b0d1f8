import { systemClock, type Clock } from '@wherry/core';

/** `open`: calls are turned away. `half-open`: one call is let through to see. */
export type BreakerState = 'closed' | 'half-open' | 'open';

/** Options of {@link CircuitBreaker}. */
export interface CircuitBreakerOptions {
  /** Consecutive failures that open it; default 5. */
  readonly threshold?: number;
  /** How long it stays open before the first probe, ms; default 250. Doubles with every probe that fails, up to 16 times. */
  readonly openMs?: number;
  readonly clock?: Clock;
}

/**
 * Keeps callers from queueing for a database that does not answer. Opened by consecutive failures; after a while one
 * call probes, and its result closes it or keeps it open for longer.
 */
export class CircuitBreaker {
  readonly #threshold: number;
  readonly #openMs: number;
  readonly #clock: Clock;
  #failures = 0;
  #probesFailed = 0;
  #openUntil: number | undefined;
  #probing = false;

  constructor(options: CircuitBreakerOptions = {}) {
    this.#threshold = options.threshold ?? 5;
    this.#openMs = options.openMs ?? 250;
    this.#clock = options.clock ?? systemClock;
  }

  get state(): BreakerState {
    if (this.#openUntil === undefined) return 'closed';
    return this.#probing || this.#clock.monotonic() >= this.#openUntil ? 'half-open' : 'open';
  }

  /** Milliseconds until the next probe; 0 when a call may try. */
  get waitMs(): number {
    if (this.#openUntil === undefined) return 0;
    return this.#probing ? this.#openMs : Math.max(0, this.#openUntil - this.#clock.monotonic());
  }

  /** True when a call may be made now. It must then report `succeeded` or `failed`. */
  tryPass(): boolean {
    if (this.#openUntil === undefined) return true;
    if (this.#probing || this.#clock.monotonic() < this.#openUntil) return false;
    this.#probing = true;
    return true;
  }

  /** A call was answered, whatever the answer. */
  succeeded(): void {
    this.#failures = 0;
    this.#probesFailed = 0;
    this.#openUntil = undefined;
    this.#probing = false;
  }

  /** A call was not answered. */
  failed(): void {
    if (this.#openUntil !== undefined) {
      // Calls that were under way when it opened say nothing new; only the probe does.
      if (!this.#probing) return;
      this.#probing = false;
      this.#probesFailed++;
      this.#open();
      return;
    }
    if (++this.#failures >= this.#threshold) this.#open();
  }

  #open(): void {
    this.#openUntil = this.#clock.monotonic() + this.#openMs * 2 ** Math.min(this.#probesFailed, 4);
  }
}
