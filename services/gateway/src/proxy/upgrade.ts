import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Client, type Dispatcher } from 'undici';
import { Answer } from '../answer.ts';
import { withResponseHeaders } from '../respond.ts';
import { Exchange, textsOf, type ExchangeResult } from './exchange.ts';
import { answerHeaders } from './hop-by-hop.ts';
import type { Passing } from './passing.ts';
import { Tunnel } from './tunnel.ts';
import type { UnderWay } from './under-way.ts';
import { acceptsWebSocket, webSocketKey } from './websocket.ts';

/** Options of {@link Upgrade}. Milliseconds. */
export interface UpgradeOptions {
  readonly passing: Passing;
  readonly head: Buffer;
  readonly connectMs: number;
  readonly responseMs: number;
  /** Called once, at the end. */
  readonly settled: (result: ExchangeResult) => void;
}

/**
 * A request for a WebSocket at an upstream. It goes out on a connection of its own. Until the upstream has accepted it
 * (101, with the proof that it understood the handshake), it is an ordinary request with an ordinary answer: what the
 * client has sent after it waits, and is thrown away with the connection when the answer is another one. So no bytes
 * that nobody has judged ever reach a server that still reads requests.
 */
export class Upgrade implements Dispatcher.DispatchHandler, UnderWay {
  readonly passing: Passing;
  readonly #options: UpgradeOptions;
  readonly #exchange: Exchange;
  readonly #client: Client;
  #tunnel: Tunnel | undefined;
  #result: ExchangeResult = '1xx';

  constructor(options: UpgradeOptions) {
    const { passing, responseMs, connectMs } = options;
    this.passing = passing;
    this.#options = options;
    this.#exchange = new Exchange({ passing, responseMs, again: undefined, settled: (result) => this.#settle(result) });
    this.#client = new Client(passing.route.upstream, {
      // Either side may end its direction first.
      connect: { timeout: connectMs, allowHalfOpen: true },
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Sends the request. `headers`: without those of the hop. */
  send(headers: string[]): void {
    const { url = '/' } = this.passing.request;
    try {
      this.#client.dispatch({ method: 'GET', path: url, headers, upgrade: 'websocket' }, this);
    } catch (error) {
      this.onResponseError(undefined, error as Error);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#exchange.onRequestStart(controller);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: unknown, message?: string): void {
    this.#exchange.onResponseStart(controller, status, headers, message);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#exchange.onResponseData(controller, chunk);
  }

  onResponseEnd(): void {
    this.#exchange.onResponseEnd();
  }

  onResponseError(controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#exchange.onResponseError(controller, error);
  }

  onRequestUpgrade(controller: Dispatcher.DispatchController, _status: number, _headers: unknown, upstream: Duplex): void {
    upstream.on('error', () => undefined);
    const { request, response, respond } = this.passing;
    const raw = textsOf(controller.rawHeaders);
    if (!acceptsWebSocket(raw, webSocketKey(request.rawHeaders) ?? '')) {
      upstream.destroy();
      this.#exchange.onResponseError(controller, new Error('the upstream switched to something else'));
      return;
    }
    const { socket } = request;
    if (!this.#exchange.release() || socket.destroyed) {
      upstream.destroy();
      this.#settle('aborted');
      return;
    }
    letGo(response, socket);
    const headers = withResponseHeaders(['Connection', 'Upgrade', 'Upgrade', 'websocket', ...answerHeaders(raw)], respond);
    socket.write(`${new Answer(101, headers).head}\r\n`, 'latin1');
    if (this.#options.head.length > 0) socket.unshift(this.#options.head);
    this.#tunnel = new Tunnel({ client: socket, upstream, closed: () => this.#settle(this.#result) });
  }

  used(): boolean {
    return this.#tunnel?.used() ?? false;
  }

  get lasts(): boolean {
    return this.#tunnel !== undefined || this.#exchange.lasts;
  }

  cut(): void {
    if (this.#tunnel === undefined) {
      this.#exchange.cut();
      return;
    }
    this.#result = 'ended';
    this.#tunnel.destroy();
  }

  /** True when the open connection should be given up, see {@link Tunnel.isOver}. */
  isOver(tick: number, stuck: number, idle: number): boolean {
    return this.#tunnel?.isOver(tick, stuck, idle) ?? false;
  }

  destroy(): void {
    this.#tunnel?.destroy();
    this.#exchange.destroy();
  }

  #settle(result: ExchangeResult): void {
    this.#options.settled(result);
    // It still is in the middle of telling us.
    setImmediate(() => void this.#client.destroy());
  }
}

type Assigned = Socket & { wherryDrain?: () => void };

/**
 * An ordinary answer on a connection that node:http has given out of its hands because of an upgrade. The connection
 * ends with it: what came after the request was meant for another protocol and is read by nobody.
 */
export function responseOn(request: IncomingMessage): ServerResponse {
  const socket = request.socket as Assigned;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  socket.on('error', () => undefined);
  response.assignSocket(socket);
  socket.wherryDrain = () => response.emit('drain');
  socket.on('drain', socket.wherryDrain);
  response.once('finish', () => {
    letGo(response, socket);
    socket.destroySoon();
  });
  return response;
}

function letGo(response: ServerResponse, socket: Assigned): void {
  if (socket.wherryDrain !== undefined) socket.off('drain', socket.wherryDrain);
  response.detachSocket(socket);
}
