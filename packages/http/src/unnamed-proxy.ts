import type { Clock, Logger } from '@wherry/core';
import type { AddressSource, TrustedProxies } from './client-address.ts';

/** Options of {@link UnnamedProxy}. */
export interface UnnamedProxyOptions {
  readonly proxies: TrustedProxies;
  /** The setting that would name it. */
  readonly setting: string;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Clients can send the header too: it is no more than a hint, and costs a line an hour. */
const EVERY_MS = 3_600_000;

/** Tells the operator of a proxy that he has probably not named: all who come through it count as one address. */
export class UnnamedProxy {
  readonly #options: UnnamedProxyOptions;
  #again = Number.NEGATIVE_INFINITY;

  constructor(options: UnnamedProxyOptions) {
    this.#options = options;
  }

  /** Looks at who sends a request, and for whom. */
  notice({ peer, forwardedFor }: AddressSource): void {
    const { proxies, setting, log, clock } = this.#options;
    if (forwardedFor === undefined || peer === undefined || proxies.has(peer)) return;
    const now = clock.monotonic();
    if (now < this.#again) return;
    this.#again = now + EVERY_MS;
    log.warn(`a peer that is not trusted sends X-Forwarded-For; if it is a proxy of yours, name it in ${setting}`, { peer });
  }
}
