import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { WherryError, asWherryError, silentLogger, systemClock, type Component, type Logger } from '@wherry/core';
import { IdentitySigner, sendProblem } from '@wherry/http';
import { RENEWAL_LIVES } from '@wherry/tokens';
import { Admin } from './admin.ts';
import { Authenticator } from './authenticator.ts';
import { Connections } from './connections.ts';
import { ForwardAuth, isBelow } from './forward-auth.ts';
import { Gate } from './limits/gate.ts';
import { limitsOf } from './limits/limits.ts';
import { cut, listen, portOf } from './listening.ts';
import type { GatewayOptions } from './options.ts';
import { countsAsNobody, type Outcome, type Refusal } from './outcome.ts';
import { PlainLane, isAt } from './plain/plain-lane.ts';
import type { Passing } from './proxy/passing.ts';
import { ReverseProxy } from './proxy/proxy.ts';
import { responseOn } from './proxy/upgrade.ts';
import { wishesWebSocket } from './proxy/websocket.ts';
import { RenewalClient } from './renewal/renewal-client.ts';
import { NO_HEADERS } from './respond.ts';
import { RolloutSide } from './rollout/rollout-side.ts';
import { RouteTable, pathOf } from './routes.ts';

/** Checks every request and passes it on. */
export interface Gateway extends Component {
  /** The port listened on; 0 before `run`. */
  readonly port: number;
  /** The port of the pages for those who run it; the same one where none was asked for. */
  readonly adminPort: number;
  run(): Promise<void>;
  drain(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Makes a gateway. Errors: `config_invalid` for routes and secrets that cannot be. */
export function createGateway(options: GatewayOptions): Gateway {
  return new HttpGateway(options);
}

/** Clocks apart by more than this and a token's times mean nothing any more, milliseconds. */
const CLOCK_LIMIT_MS = 5000;
const HEADERS_MS = 10_000;
const IDLE_MS = 65_000;
const DRAIN_LOOK_MS = 25;

class HttpGateway implements Gateway {
  readonly name = 'gateway';
  readonly #options: GatewayOptions;
  readonly #log: Logger;
  readonly #routes: RouteTable;
  readonly #rollout: RolloutSide;
  readonly #renewals: RenewalClient | undefined;
  readonly #authenticator: Authenticator;
  readonly #gate: Gate;
  readonly #proxy: ReverseProxy;
  readonly #forwardAuth: ForwardAuth;
  readonly #admin: Admin;
  readonly #authPath: string;
  readonly #server: Server;
  readonly #adminServer: Server | undefined;
  readonly #connections: Connections;
  readonly #plain: PlainLane;
  #state: 'new' | 'running' | 'draining' = 'new';

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    const { metrics, runtime, upstreamSecrets } = options;
    const { addresses, budget, requests, allowedOrigins } = limitsOf(options);
    this.#gate = new Gate({ addresses, limits: requests, allowedOrigins });
    this.#routes = new RouteTable(options.routes, options.clock);
    this.#rollout = new RolloutSide({
      rollout: options.rollout,
      runtime,
      reports: options.reports,
      families: options.families,
      clients: options.clients,
      deprecation: options.deprecation,
      log: this.#log,
    });
    const { renewal } = options;
    this.#renewals = renewal === undefined ? undefined : new RenewalClient(renewal);
    this.#authenticator = new Authenticator({
      tokens: options.tokens,
      runtime,
      rollout: this.#rollout,
      renewal:
        this.#renewals === undefined
          ? undefined
          : { client: this.#renewals, windowMs: renewal?.windowMs ?? RENEWAL_LIVES * options.tokens.maxLifeS * 1000 },
      carried: options.carried,
      cookie: options.cookie,
      signer: upstreamSecrets === undefined ? undefined : new IdentitySigner({ secrets: upstreamSecrets }),
      cacheSize: options.sessionCache?.size ?? 100_000,
      cacheTtlMs: options.sessionCache?.ttlMs ?? 5000,
      cacheSource: options.sessionCache?.source ?? false,
      freshMs: options.freshMs ?? 3000,
      origin: options.origin?.replace(/\/$/, ''),
      budget,
      addresses,
      reports: options.reports,
      reportMs: options.sessionCache?.reportMs ?? 10_000,
      warm: options.sessionCache?.warm ?? true,
      clock: options.clock ?? systemClock,
      log: this.#log,
    });
    const { counts, tokens, sessions, touches, comparison, warmUp } = this.#authenticator;
    this.#proxy = new ReverseProxy({
      ...options.proxy,
      upstreams: this.#routes.upstreams,
      idleMs: options.idleMs ?? IDLE_MS,
      addressOf: ({ socket, rawHeaders }) => addresses.of(socket, rawHeaders),
      judgeAgain: (caller, request, used) => this.#authenticator.judgeAgain(caller, request, used),
      onResult: ({ prefix }, result) => counts.passedOn(prefix, result),
    });
    counts.publish(metrics, {
      verifier: tokens.verifier,
      sessions: sessions.cache,
      touches,
      comparison,
      proxied: () => this.#proxy.underWay,
      upgraded: () => this.#proxy.upgraded,
      ledWithSession: () => this.#rollout.policy.led,
      renewals: () => tokens.renewer?.stats,
      warmed: () => warmUp.warmed,
    });
    this.#admin = new Admin({ unready: () => this.#unready(), metrics });
    this.#authPath = options.forwardAuth?.path ?? '/auth';
    const requestMs = options.requestMs ?? 300_000;
    const headersMs = Math.min(HEADERS_MS, requestMs);
    this.#server = createServer(
      {
        optimizeEmptyRequests: true,
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        connectionsCheckingInterval: 2000,
        maxHeaderSize: 16_384,
        // What two servers could read in two ways is refused by the parser.
        insecureHTTPParser: false,
        shouldUpgradeCallback: (request) => this.#mayUpgrade(request),
      },
      (request, response) => this.#handle(request, response, false),
    );
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response, true));
    this.#server.on('upgrade', (request: IncomingMessage, _socket: unknown, head: Buffer) => this.#upgrade(request, head));
    this.#forwardAuth = new ForwardAuth({
      authenticator: this.#authenticator,
      routes: this.#routes,
      gate: this.#gate,
      log: this.#log,
      uriHeader: options.forwardAuth?.uriHeader?.toLowerCase(),
      prefix: options.forwardAuth?.prefix,
    });
    this.#connections = new Connections(this.#server, options.idleMs ?? IDLE_MS, headersMs);
    this.#plain = new PlainLane({
      server: this.#server,
      connections: this.#connections,
      isQuestion: (url) => this.#isQuestion(url),
      answer: (request, peer) => this.#forwardAuth.answer(request, peer),
    });
    if (options.adminPort !== undefined) this.#adminServer = createServer((request, response) => this.#admin.serve(request, response));
  }

  get port(): number {
    return portOf(this.#server);
  }

  get adminPort(): number {
    return portOf(this.#adminServer ?? this.#server);
  }

  async run(): Promise<void> {
    const { host, port, adminPort } = this.#options;
    // Before the first request: what is not reported from the beginning proves nothing.
    await this.#rollout.run();
    await this.#authenticator.warmUp.run();
    await listen(this.#server, host, port);
    if (this.#adminServer !== undefined) await listen(this.#adminServer, host, adminPort ?? 0);
    if (this.#state === 'new') this.#state = 'running';
    this.#log.info('listening', { host, port: this.port, adminPort: this.adminPort });
  }

  /** Takes no new connections; what is under way is answered, and its connection closed. At the abort the rest is cut by `stop`. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#state = 'draining';
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#plain.drain();
    // A connection becomes idle at any time; the server closes those that are at the moment of the call only.
    const timer = setInterval(() => this.#server.closeIdleConnections(), DRAIN_LOOK_MS);
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      await Promise.race([Promise.all([closed, this.#proxy.drained()]), aborted]);
      const { touches, comparison } = this.#authenticator;
      await Promise.race([Promise.all([touches.drained(), comparison.drained(), this.#rollout.drain()]), aborted]);
    } finally {
      clearInterval(timer);
    }
  }

  async stop(): Promise<void> {
    this.#state = 'draining';
    this.#connections.stop();
    this.#plain.destroy();
    const servers = this.#adminServer === undefined ? [this.#server] : [this.#server, this.#adminServer];
    await this.#proxy.destroy();
    await Promise.all(servers.map(cut));
    await this.#renewals?.close();
    await this.#authenticator.warmUp.stop();
    await this.#rollout.stop();
  }

  #handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    if (this.#state === 'draining') response.shouldKeepAlive = false;
    // Kept here: the request has let go of its socket by the time its answer closes.
    const { socket } = request;
    this.#connections.hold(socket);
    response.once('close', () => this.#connections.release(socket));
    if (this.#isQuestion(request.url ?? '')) {
      void this.#check(request, response);
      return;
    }
    if (this.#adminServer === undefined && this.#admin.handle(request, response)) return;
    try {
      this.#route(request, response, expectsContinue);
    } catch (error) {
      this.#refuse(request, response, asWherryError(error));
    }
  }

  /**
   * Only what asks for a WebSocket, and only where nothing else is being answered on its connection: the answer to an
   * upgrade would overtake the one before it. Everything else is an ordinary request (RFC 9110 section 7.8).
   */
  #mayUpgrade(request: IncomingMessage): boolean {
    const url = request.url ?? '';
    return wishesWebSocket(request) && !this.#connections.isBusy(request.socket) && !this.#isQuestion(url);
  }

  #isQuestion(url: string): boolean {
    const prefix = this.#options.forwardAuth?.prefix;
    return isAt(this.#authPath, url) || (prefix !== undefined && isBelow(prefix, url));
  }

  #upgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    this.#connections.hold(socket);
    socket.once('close', () => this.#connections.release(socket));
    const response = responseOn(request);
    try {
      if (this.#state === 'draining') throw new WherryError('draining', 'this instance is shutting down', { retryAfter: 1 });
      this.#route(request, response, false, head);
    } catch (error) {
      this.#refuse(request, response, asWherryError(error));
    }
  }

  async #check(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#forwardAuth.answer(request, request.socket);
    if (!request.complete) response.shouldKeepAlive = false;
    answer.send(response);
  }

  #route(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, head?: Buffer): void {
    const now = Date.now();
    const route = this.#routes.find(pathOf(request.url ?? ''));
    if (route === undefined) throw new WherryError('not_found', 'no route leads there');
    const passing = { request, response, route, expectsContinue, head, now };
    const refused = this.#gate.before(route, request, request.socket);
    if (refused !== undefined) {
      this.#turnAway(request, response, refused);
      return;
    }
    if (route.auth === 'none') {
      this.#authenticator.counts.nobody();
      this.#proxy.pass({ ...passing, caller: undefined, respond: NO_HEADERS });
      return;
    }
    const outcome = this.#authenticator.judge(request, now, request.socket);
    if (outcome instanceof Promise) void outcome.then((settled) => this.#judged(passing, settled));
    else this.#judged(passing, outcome);
  }

  #judged(passing: Omit<Passing, 'caller' | 'respond'>, outcome: Outcome): void {
    const { request, response, route } = passing;
    const { counts } = this.#authenticator;
    if (response.destroyed) return;
    const refused = outcome.ok ? this.#gate.after(route, request, outcome) : undefined;
    if (refused !== undefined) this.#turnAway(request, response, refused);
    else if (outcome.ok) {
      counts.judged(outcome);
      this.#proxy.pass({ ...passing, caller: outcome, respond: outcome.respond });
    } else if (route.auth === 'optional' && countsAsNobody(outcome)) {
      counts.nobody();
      this.#proxy.pass({ ...passing, caller: undefined, respond: outcome.respond });
    } else if (!outcome.ok) this.#turnAway(request, response, outcome);
  }

  #turnAway(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
    this.#authenticator.counts.judged(refusal);
    // A body that nobody wants is not waited for.
    if (!request.complete) response.shouldKeepAlive = false;
    refusal.answer.send(response);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: WherryError): void {
    if (!request.complete) response.shouldKeepAlive = false;
    if (error.code === 'internal') this.#log.error('a request could not be handled', { error: error.cause ?? error });
    sendProblem(response, error);
  }

  #unready(): string | undefined {
    const { runtime } = this.#options;
    if (this.#state !== 'running') return this.#state === 'new' ? 'starting' : 'draining';
    if (!Number.isFinite(runtime.ended.staleMs)) return 'the revocations have not been loaded';
    const offset = Math.abs(runtime.instance.clockOffsetMs);
    return offset > CLOCK_LIMIT_MS ? `the clock is ${offset} ms off` : undefined;
  }
}
