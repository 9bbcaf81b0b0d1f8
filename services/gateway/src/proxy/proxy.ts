import type { IncomingMessage, ServerResponse } from 'node:http';
import { asWherryError } from '@wherry/core';
import { sendProblem } from '@wherry/http';
import { Pool, type Dispatcher } from 'undici';
import type { Caller } from '../caller.ts';
import type { ProxyOptions } from '../options.ts';
import type { Route } from '../routes.ts';
import { Exchange, type ExchangeResult } from './exchange.ts';
import { requestHeaders } from './request-headers.ts';

/** Options of {@link ReverseProxy}. */
export interface ReverseProxyOptions extends ProxyOptions {
  readonly upstreams: readonly string[];
  readonly onResult: (route: Route, result: ExchangeResult) => void;
}

/** A request that has been judged. */
export interface Passing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: Route;
  /** undefined: nobody, where the route allows that. */
  readonly caller: Caller | undefined;
  /** The client waits to be told to send its body (RFC 9110 section 10.1.1). */
  readonly expectsContinue: boolean;
  /** Epoch ms. */
  readonly now: number;
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const NONE: readonly string[] = [];

/** Passes requests on to upstreams, streaming both ways, over connections that it keeps. */
export class ReverseProxy {
  readonly #options: ReverseProxyOptions;
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #underWay = new Set<Exchange>();
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
  }

  /** Requests that an upstream has not answered whole. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Sends the request on and its answer back. Never throws. */
  pass(passing: Passing): void {
    const { request, response, route, caller, now } = passing;
    const pool = this.#pools.get(route.upstream);
    let dispatch: Dispatcher.DispatchOptions;
    try {
      const hasBody = bodyOf(request);
      dispatch = {
        method: request.method ?? 'GET',
        path: request.url ?? '/',
        headers: requestHeaders({
          rawHeaders: request.rawHeaders,
          identity: caller?.upstream(now) ?? NONE,
          stripAuthorization: route.stripBearer && caller !== undefined && caller.kind !== 'cookie',
          trustForwarded: this.#options.trustForwarded ?? false,
          remoteAddress: request.socket.remoteAddress,
          hasBody,
        }),
        body: hasBody ? request : null,
      };
    } catch (error) {
      response.shouldKeepAlive = false;
      sendProblem(response, asWherryError(error));
      return;
    }
    if (pool === undefined) throw new Error('a route has no pool');
    const repeatable = dispatch.body === null && SAFE.has(dispatch.method);
    const exchange: Exchange = new Exchange({
      request,
      response,
      responseMs: this.#options.responseMs ?? 30_000,
      again: repeatable ? () => pool.dispatch(dispatch, exchange) : undefined,
      settled: (result) => this.#settled(exchange, route, result),
    });
    this.#underWay.add(exchange);
    if (passing.expectsContinue) response.writeContinue();
    try {
      pool.dispatch(dispatch, exchange);
    } catch (error) {
      exchange.onResponseError(undefined, error as Error);
    }
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Cuts what is under way and closes all connections. */
  async destroy(): Promise<void> {
    for (const exchange of this.#underWay) exchange.destroy();
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  #settled(exchange: Exchange, route: Route, result: ExchangeResult): void {
    this.#underWay.delete(exchange);
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
