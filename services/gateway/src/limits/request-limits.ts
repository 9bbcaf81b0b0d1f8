import type { Clock } from '@wherry/core';
import { RateLimiter, readRateWindows } from '@wherry/http/rate-limits';
import type { Caller } from '../caller.ts';
import type { CredentialKind, Refusal } from '../outcome.ts';
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
  #refused = 0;

  private constructor({ perUser, perClient, perAddress }: RequestLimitOptions, clock: Clock) {
    const of = (rate: string | undefined): RateLimiter | undefined =>
      rate === undefined ? undefined : new RateLimiter({ windows: readRateWindows(rate), clock });
    this.#user = of(perUser);
    this.#client = of(perClient);
    this.#address = of(perAddress);
  }

  /** undefined: nothing is bounded. Errors: `config_invalid`. */
  static of(options: RequestLimitOptions | undefined, clock: Clock): RequestLimits | undefined {
    const { perUser, perClient, perAddress } = options ?? {};
    if (options === undefined || (perUser ?? perClient ?? perAddress) === undefined) return undefined;
    return new RequestLimits(options, clock);
  }

  /** Requests that were refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Whether an address has to be found out. */
  get countsAddresses(): boolean {
    return this.#address !== undefined;
  }

  /** Before a request is judged: why it may not be. `address` undefined, not known: it is not counted as one with others. */
  refuseAddress(address: string | undefined): Refusal | undefined {
    return address === undefined ? undefined : this.#refuse(this.#address, 'none', 'address', address);
  }

  /** After it was judged: why it may not go on. */
  refuseCaller({ kind, principal }: Caller): Refusal | undefined {
    const refusal = this.#user === undefined ? undefined : this.#refuse(this.#user, kind, 'user', principal.userId);
    if (refusal !== undefined || this.#client === undefined || principal.clientId === undefined) return refusal;
    return this.#refuse(this.#client, kind, 'client', principal.clientId);
  }

  #refuse(limiter: RateLimiter | undefined, kind: CredentialKind, policy: string, key: string): Refusal | undefined {
    const waitMs = limiter?.take(key) ?? 0;
    if (limiter === undefined || waitMs === 0) return undefined;
    this.#refused++;
    return throttled({ kind, policy, states: limiter.state(key), waitMs });
  }
}
