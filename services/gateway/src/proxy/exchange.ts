import type { ServerResponse } from 'node:http';
import { WherryError } from '@wherry/core';
import { sendProblem } from '@wherry/http';
import type { Dispatcher } from 'undici';
import { addResponseHeaders, withResponseHeaders } from '../respond.ts';
import { answerHeaders } from './hop-by-hop.ts';
import type { Passing } from './passing.ts';
import type { UnderWay } from './under-way.ts';

/** How a request at an upstream ended: a class of status, `aborted` by the client, `ended` because the caller was no longer signed in, or what failed. */
export type ExchangeResult = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'aborted' | 'ended' | 'broken' | 'unavailable' | 'timeout' | 'refused';

/** Options of {@link Exchange}. */
export interface ExchangeOptions {
  readonly passing: Passing;
  /** Longest time without progress until the answer begins, milliseconds. */
  readonly responseMs: number;
  /** Sends it once more; undefined where a repeat could do something twice. */
  readonly again: (() => void) | undefined;
  /** Called once, at the end. */
  readonly settled: (result: ExchangeResult) => void;
}

const CONNECTION_LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
const NOTHING = Buffer.alloc(0);
const TIMEOUTS: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);

/**
 * One request at an upstream and its answer on the way back. Nothing is gathered: each part goes on as it comes, and
 * the upstream is paused while the client does not read. A client that leaves ends the request at the upstream. What
 * fails before the answer has begun is a problem document; after that the connection is cut, so that a part is never
 * taken for the whole.
 */
export class Exchange implements Dispatcher.DispatchHandler, UnderWay {
  readonly passing: Passing;
  readonly #options: ExchangeOptions;
  readonly #response: ServerResponse;
  readonly #stalled: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #begun = false;
  #left = false;
  #late = false;
  #result: ExchangeResult = 'unavailable';
  #settled = false;
  #repeated = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.passing = options.passing;
    this.#response = options.passing.response;
    this.#stalled = setTimeout(() => this.#giveUp(), options.responseMs);
    this.#response.once('close', this.#closed);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#left) controller.abort(new Error('the client has left'));
    else if (this.#late) controller.abort(new Error('the upstream is late'));
  }

  onBodySent(): void {
    this.#stalled.refresh();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: unknown, message?: string): void {
    // Interim answers are between this hop and the next.
    if (status < 200) return;
    clearTimeout(this.#stalled);
    this.#begun = true;
    this.#result = `${Math.trunc(status / 100)}xx` as ExchangeResult;
    const headers = withResponseHeaders(answerHeaders(textsOf(controller.rawHeaders)), this.passing.respond) as string[];
    if (message === undefined || message === '') this.#response.writeHead(status, headers);
    else this.#response.writeHead(status, message, headers);
    // A stream's first part may be long in coming, and the client waits for the headers. Not by `flushHeaders`, which
    // writes them as UTF-8 and so changes what the upstream wrote; with bytes they go as they are.
    if (!headers.some((name, at) => at % 2 === 0 && name.length === 14 && name.toLowerCase() === 'content-length')) {
      this.#response.write(NOTHING);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#response.write(chunk)) return;
    controller.pause();
    this.#response.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#response.end();
    this.#settle(this.#result);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    // It has been answered already, and was only stopped.
    if (this.#settled) return;
    const code = codeOf(error);
    if (this.#left) return this.#settle('aborted');
    if (this.#begun) {
      this.#response.destroy();
      return this.#settle('broken');
    }
    if (this.#late || TIMEOUTS.has(code)) return this.#fail('timeout', 'upstream_timeout', 'the upstream did not answer in time', error);
    // An upstream closes an idle connection at the moment at which we take it for the next request (RFC 9112 section 9.3.1).
    if (CONNECTION_LOST.has(code) && this.#options.again !== undefined && !this.#repeated) {
      this.#repeated = true;
      this.#stalled.refresh();
      return this.#options.again();
    }
    if (code === 'UND_ERR_INVALID_ARG') return this.#fail('refused', 'bad_request', 'the request cannot be passed on as it is', error);
    this.#fail('unavailable', 'upstream_unavailable', 'the upstream cannot be reached', error);
  }

  /** The body of a request is sent by whoever began it; nothing else comes from the client. */
  used(): boolean {
    return false;
  }

  get lasts(): boolean {
    return this.#begun;
  }

  cut(): void {
    if (this.#settled) return;
    this.#left = true;
    this.#settle('ended');
    this.#controller?.abort(new Error('the caller is no longer signed in'));
    this.#response.destroy();
  }

  /** Ends it without an answer. */
  destroy(): void {
    this.#response.destroy();
  }

  /** Hands the answering over to the caller of this. False: it is answered already, or the client has left. */
  release(): boolean {
    if (this.#settled || this.#left || this.#late || this.#begun) return false;
    this.#settled = true;
    clearTimeout(this.#stalled);
    this.#response.off('close', this.#closed);
    return true;
  }

  #fail(result: ExchangeResult, code: 'upstream_timeout' | 'upstream_unavailable' | 'bad_request', message: string, cause: Error): void {
    // What of the body has not come in yet is not waited for.
    const { request, respond } = this.passing;
    if (!request.complete) this.#response.shouldKeepAlive = false;
    // A renewed credential reaches its client whatever becomes of the request: the old one may be worth nothing by now.
    addResponseHeaders(this.#response, respond);
    sendProblem(this.#response, new WherryError(code, message, { cause, ...(code === 'bad_request' ? {} : { retryAfter: 1 }) }));
    this.#settle(result);
  }

  #giveUp(): void {
    this.#late = true;
    // Before it was given a connection there is no controller; it still waits for one then, and is stopped when it starts.
    if (this.#controller !== undefined) this.#controller.abort(new Error('the upstream is late'));
    else this.#fail('timeout', 'upstream_timeout', 'no connection to the upstream became free in time', new Error('late'));
  }

  readonly #closed = (): void => {
    if (this.#response.writableFinished || this.#settled) return;
    this.#left = true;
    this.#controller?.abort(new Error('the client has left'));
    if (this.#controller === undefined) this.#settle('aborted');
  };

  #settle(result: ExchangeResult): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#stalled);
    this.#response.off('close', this.#closed);
    this.#options.settled(result);
  }
}

/** Headers as the upstream wrote them: bytes, which node:http writes again as they are. */
export function textsOf(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part: Buffer | string) => (typeof part === 'string' ? part : part.toString('latin1')));
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
