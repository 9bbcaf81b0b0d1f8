import type { Clock } from '@wherry/core';
import { RateLimiter, readRateWindows } from '@wherry/http/rate-limits';
import type { Caller } from '../caller.ts';
import type { Refusal } from '../outcome.ts';
import { throttled } from './throttled.ts';

/** How often requests may come, as `20/1s` or `20/1s,600/1m`: so many at once, then so many in each such time. What is absent has no bound. */
export interface RequestLimitOptions {
  /** From one user, whatever his credential. */
  readonly perUser?: string;
  /** From all users of one client, where the credential names it. */
  readonly perClient?: string;
  /** From one address, IPv6 by its /64, judged before anything else is. */
  readonly perAddress?: string;
}

/** Bounds of one route, or of all that have none of their own. */
export class RequestLimits {
  readonly #user: RateLimiter | undefined;
  readonly #client: RateLimiter | undefined;
  readonly #address: RateLimiter | undefined;
  readonly #clock: Clock;

  private constructor({ perUser, perClient, perAddress }: RequestLimitOptions, clock: Clock) {
    const of = (rate: string | undefined): RateLimiter | undefined =>
      rate === undefined ? undefined : new RateLimiter({ windows: readRateWindows(rate), clock });
    this.#user = of(perUser);
    this.#client = of(perClient);
    this.#address = of(perAddress);
    this.#clock = clock;
  }

  /** undefined: nothing is bounded. Errors: `config_invalid`. */
  static of(options: RequestLimitOptions | undefined, clock: Clock): RequestLimits | undefined {
    const { perUser, perClient, perAddress } = options ?? {};
    if (options === undefined || (perUser ?? perClient ?? perAddress) === undefined) return undefined;
    return new RequestLimits(options, clock);
  }

  /** Whether an address has to be found out. */
  get countsAddresses(): boolean {
    return this.#address !== undefined;
  }

  /** Before a request is judged: why it may not be. `address` undefined, not known: it is not counted as one with others. */
  refuseAddress(address: string | undefined): Refusal | undefined {
    if (this.#address === undefined || address === undefined) return undefined;
    const waitMs = this.#address.take(address);
    return waitMs === 0 ? undefined : throttled({ kind: 'none', policy: 'address', states: this.#address.state(address), waitMs });
  }

  /** After it was judged: why it may not go on. */
  refuseCaller({ kind, principal }: Caller): Refusal | undefined {
    const user = this.#user;
    const client = this.#client;
    if (user === undefined && client === undefined) return undefined;
    const { userId, clientId } = principal;
    const now = this.#clock.monotonic();
    const userMs = user?.take(userId, 1, now) ?? 0;
    if (user !== undefined && userMs > 0) return throttled({ kind, policy: 'user', states: user.state(userId), waitMs: userMs });
    if (client === undefined || clientId === undefined) return undefined;
    const waitMs = client.take(clientId, 1, now);
    return waitMs === 0 ? undefined : throttled({ kind, policy: 'client', states: client.state(clientId), waitMs });
  }
}
