import { WherryError, isWherryError, systemClock, type Clock } from '@wherry/core';
import { RateLimiter, rateFields, readRateWindows } from '@wherry/http/rate-limits';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** How often requests may come, as `20/1s` or `20/1s,600/1m`: so many at once, then so many in each such time. */
export interface EndpointLimitOptions {
  /** From one address that proves to be no client: a request costs 1, a refused one 10, and so does looking up a session that there is none of; default `3000/10s`. */
  readonly perAddress?: string;
  /** From one client that has proved who it is, wherever from; default `20000/10s`. */
  readonly perClient?: string;
}

/** Where secrets could be tried, or where each request reads a store for whoever asks. Log-ins and registrations have limits of their own. */
const LIMITED: ReadonlySet<string> = new Set(['/oauth/token', '/oauth/introspect', '/oauth/revoke', '/v1/logins']);
const REFUSED = 10;

/** What a request took; nothing more is taken back or added once its client has proved who it is. */
interface Entry {
  readonly address: string | undefined;
  client: string | undefined;
}

/**
 * Bounds requests to the endpoints of clients, in the memory of this instance. A client is counted by its name only after
 * it has proved it: otherwise anybody could use up what another one may. Until then, and for those that cannot, the
 * address counts; one that is not known does not.
 */
export class EndpointLimits {
  readonly #addresses: RateLimiter;
  readonly #clients: RateLimiter;
  readonly #addressOf: (request: FastifyRequest) => string | undefined;
  readonly #entries = new WeakMap<FastifyRequest, Entry>();

  /** Errors: `config_invalid`. */
  constructor(
    { perAddress = '3000/10s', perClient = '20000/10s' }: EndpointLimitOptions,
    addressOf: (request: FastifyRequest) => string | undefined,
    clock: Clock = systemClock,
  ) {
    this.#addresses = new RateLimiter({ windows: readRateWindows(perAddress), clock });
    this.#clients = new RateLimiter({ windows: readRateWindows(perClient), clock });
    this.#addressOf = addressOf;
  }

  /** Counts every request to these endpoints. To be called before the routes are made. */
  watch(app: FastifyInstance): void {
    app.addHook('onRequest', async (request, reply) => this.#enter(request, reply));
    app.addHook('onResponse', async (request, { statusCode }) => this.#leave(request, statusCode));
  }

  /** The client of a request has proved who it is. Errors: `rate_limited`. */
  proved(request: FastifyRequest, client: string): void {
    const entry = this.#entries.get(request);
    if (entry === undefined || entry.client !== undefined) return;
    entry.client = client;
    if (entry.address !== undefined) this.#addresses.refund(entry.address, 1);
    const waitMs = this.#clients.take(client);
    if (waitMs > 0) throw tooMany(waitMs);
  }

  /**
   * Looks up the session of a credential that anybody could make up: a session token, or a cookie that nobody has signed. That
   * there is none is known only when a store has been asked, which the address pays for as for a refused request; taken at once,
   * since many may come while one is looked up, and given back where there is one, or where nobody can say. Errors: `rate_limited`, those of `look`.
   */
  async lookUp<T>(request: FastifyRequest, look: () => Promise<T>): Promise<T> {
    const address = this.#addressOf(request);
    // Requests to the endpoints of clients are counted as a whole.
    if (address === undefined || this.#entries.has(request)) return look();
    const waitMs = this.#addresses.take(address, REFUSED);
    if (waitMs > 0) throw tooMany(waitMs);
    let isWasted = false;
    try {
      return await look();
    } catch (error) {
      isWasted = isWherryError(error, 'session_unknown');
      throw error;
    } finally {
      if (!isWasted) this.#addresses.refund(address, REFUSED);
    }
  }

  #enter(request: FastifyRequest, reply: FastifyReply): void {
    if (!LIMITED.has(request.routeOptions.url ?? '')) return;
    const address = this.#addressOf(request);
    const waitMs = address === undefined ? 0 : this.#addresses.take(address);
    if (address !== undefined && waitMs > 0) {
      reply.headers({ ...rateFields('address', this.#addresses.state(address)) });
      throw tooMany(waitMs);
    }
    this.#entries.set(request, { address, client: undefined });
  }

  /** Faults of ours, and the phase of the rollout, are not the caller's. */
  #leave(request: FastifyRequest, status: number): void {
    const entry = this.#entries.get(request);
    const refused = status >= 400 && status < 500 && status !== 429;
    if (entry?.address !== undefined && entry.client === undefined && refused) this.#addresses.charge(entry.address, REFUSED - 1);
  }
}

function tooMany(waitMs: number): WherryError {
  return new WherryError('rate_limited', 'too many requests; try again later', { retryAfter: Math.max(1, Math.ceil(waitMs / 1000)) });
}
