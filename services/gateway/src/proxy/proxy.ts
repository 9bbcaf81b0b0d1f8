import type { IncomingMessage } from 'node:http';
import { asWherryError } from '@wherry/core';
import { sendProblem, type AuthorizationSource } from '@wherry/http';
import { Pool, type Dispatcher } from 'undici';
import type { Caller } from '../caller.ts';
import type { ProxyOptions } from '../options.ts';
import type { Outcome } from '../outcome.ts';
import { NO_HEADERS, addResponseHeaders } from '../respond.ts';
import type { Route } from '../routes.ts';
import { Exchange, type ExchangeResult } from './exchange.ts';
import type { Passing } from './passing.ts';
import { requestHeaders } from './request-headers.ts';
import { SecondLooks } from './second-looks.ts';
import type { UnderWay } from './under-way.ts';
import { Upgrades } from './upgrades.ts';

/** Options of {@link ReverseProxy}. */
export interface ReverseProxyOptions extends ProxyOptions {
  readonly upstreams: readonly string[];
  /** How long a connection may wait, and an upgraded one may have something that the other side does not take, milliseconds. */
  readonly idleMs: number;
  /** Under which address a request is counted; undefined: not known. */
  readonly addressOf: (request: IncomingMessage) => string | undefined;
  readonly onResult: (route: Route, result: ExchangeResult) => void;
  /** Whether the caller of a request that is still under way is who he was. `used`: his client has sent something meanwhile. */
  readonly judgeAgain: (caller: Caller, request: AuthorizationSource, used: boolean) => Outcome | Promise<Outcome>;
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const LOOK_AGAIN_MS = 5000;
const UNKNOWN_MS = 30_000;

/** Passes requests on to upstreams, streaming both ways, over connections that it keeps. */
export class ReverseProxy {
  readonly #options: ReverseProxyOptions;
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #underWay = new Set<UnderWay>();
  readonly #upgrades: Upgrades;
  readonly #secondLooks: SecondLooks;
  #idle: (() => void)[] = [];

  constructor(options: ReverseProxyOptions) {
    this.#options = options;
    const pool = (origin: string): Pool =>
      new Pool(origin, {
        connections: options.connections ?? 1024,
        connect: { timeout: options.connectMs ?? 2000 },
        // The exchange has its own clock: these would cut slow uploads and silent streams.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    this.#pools = new Map(options.upstreams.map((origin) => [origin, pool(origin)]));
    this.#upgrades = new Upgrades({ ...options.upgrades, stuckMs: options.idleMs, addressOf: options.addressOf });
    this.#secondLooks = new SecondLooks({
      underWay: this.#underWay,
      everyMs: options.lookAgainMs ?? LOOK_AGAIN_MS,
      unknownMs: options.unknownMs ?? UNKNOWN_MS,
      judge: options.judgeAgain,
    });
  }

  /** Requests that an upstream has not answered whole, and connections that were upgraded. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Of these the connections that were upgraded, or are about to be. */
  get upgraded(): number {
    return this.#upgrades.size;
  }

  /** Sends the request on and its answer back. Never throws. */
  pass(passing: Passing): void {
    try {
      if (passing.head === undefined) this.#exchange(passing, this.#headers(passing, bodyOf(passing.request)));
      else this.#upgrade(passing, passing.head, this.#headers(passing, false));
    } catch (error) {
      passing.response.shouldKeepAlive = false;
      addResponseHeaders(passing.response, passing.respond);
      sendProblem(passing.response, asWherryError(error));
    }
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Cuts what is under way and closes all connections. */
  async destroy(): Promise<void> {
    this.#secondLooks.stop();
    this.#upgrades.stop();
    for (const one of this.#underWay) one.destroy();
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  #exchange(passing: Passing, headers: string[]): void {
    const { request, route } = passing;
    const pool = this.#pools.get(route.upstream);
    if (pool === undefined) throw new Error('a route has no pool');
    const method = request.method ?? 'GET';
    const body = bodyOf(request) ? request : null;
    const dispatch: Dispatcher.DispatchOptions = { method, path: request.url ?? '/', headers, body };
    const repeatable = body === null && SAFE.has(method);
    const exchange: Exchange = new Exchange({
      passing,
      responseMs: this.#options.responseMs ?? 30_000,
      again: repeatable ? () => pool.dispatch(dispatch, exchange) : undefined,
      settled: (result) => this.#settled(exchange, route, result),
    });
    this.#underWay.add(exchange);
    if (passing.expectsContinue) passing.response.writeContinue();
    try {
      pool.dispatch(dispatch, exchange);
    } catch (error) {
      exchange.onResponseError(undefined, error as Error);
    }
  }

  #upgrade(passing: Passing, head: Buffer, headers: string[]): void {
    const { responseMs = 30_000, connectMs = 2000 } = this.#options;
    const upgrade = this.#upgrades.begin(passing, head, { responseMs, connectMs }, (result) =>
      this.#settled(upgrade, passing.route, result),
    );
    this.#underWay.add(upgrade);
    upgrade.send(headers);
  }

  #headers({ request, route, caller, now }: Passing, hasBody: boolean): string[] {
    return requestHeaders({
      rawHeaders: request.rawHeaders,
      identity: caller?.upstream(now) ?? NO_HEADERS,
      stripAuthorization: route.stripBearer && caller !== undefined && caller.kind !== 'cookie',
      trustForwarded: this.#options.trustForwarded ?? false,
      remoteAddress: request.socket.remoteAddress,
      hasBody,
    });
  }

  #settled(one: UnderWay, route: Route, result: ExchangeResult): void {
    this.#underWay.delete(one);
    this.#options.onResult(route, result);
    if (this.#underWay.size > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}

/** True when a body follows (RFC 9112 section 6.3); node's parser has refused lengths that contradict each other. */
function bodyOf({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}
