import { systemClock, type Clock } from '@wherry/core';
import type { AuthorizationSource } from '@wherry/http';
import type { Caller } from '../caller.ts';
import type { Outcome } from '../outcome.ts';
import type { UnderWay } from './under-way.ts';

/** Options of {@link SecondLooks}. Milliseconds. */
export interface SecondLooksOptions {
  readonly underWay: ReadonlySet<UnderWay>;
  readonly everyMs: number;
  /** How long it may stay unknown whether a caller still is who he was. */
  readonly unknownMs: number;
  readonly judge: (caller: Caller, request: AuthorizationSource, used: boolean) => Outcome | Promise<Outcome>;
  readonly clock?: Clock;
}

/** So many are looked at in one turn; others want the processor too. */
const AT_ONCE = 500;

/**
 * Looks again, at a steady pace, at everyone whose request lasts: an event stream or a WebSocket that was opened by a
 * user who has been logged out since would otherwise go on for as long as he likes. A request whose answer has not begun
 * was let in while its caller was signed in, and is finished: it may be the very log-out that ends his session.
 *
 * Where it cannot be known whether he still is signed in, a connection goes on for a while: cutting all of them at the
 * first failed read would turn a short outage into one for everybody, and a storm of reconnections after it.
 */
export class SecondLooks {
  readonly #options: SecondLooksOptions;
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;
  readonly #looking = new WeakSet<UnderWay>();
  readonly #unknownSince = new WeakMap<UnderWay, number>();
  #busy = false;

  constructor(options: SecondLooksOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#timer = setInterval(() => {
      // A round that takes longer is finished first.
      if (!this.#busy) void this.#lookAtAll();
    }, options.everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #lookAtAll(): Promise<void> {
    this.#busy = true;
    try {
      await this.#lookAtEach();
    } finally {
      this.#busy = false;
    }
  }

  async #lookAtEach(): Promise<void> {
    let looked = 0;
    for (const one of this.#options.underWay) {
      const { caller, request } = one.passing;
      if (caller === undefined || !one.lasts || this.#looking.has(one)) continue;
      const outcome = this.#options.judge(caller, request, one.used());
      if (outcome instanceof Promise) {
        this.#looking.add(one);
        void outcome.then((settled) => {
          this.#looking.delete(one);
          this.#settle(one, settled);
        });
      } else this.#settle(one, outcome);
      if (++looked % AT_ONCE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #settle(one: UnderWay, outcome: Outcome): void {
    if (outcome.ok) {
      this.#unknownSince.delete(one);
      return;
    }
    if (outcome.answer.status >= 500) {
      const now = this.#clock.monotonic();
      const since = this.#unknownSince.get(one) ?? now;
      this.#unknownSince.set(one, since);
      if (now - since < this.#options.unknownMs) return;
    }
    one.cut();
  }
}
