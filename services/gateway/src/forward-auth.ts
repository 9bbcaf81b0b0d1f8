import type { IncomingMessage, ServerResponse } from 'node:http';
import { WherryError, asWherryError } from '@wherry/core';
import { authorizationOf } from '@wherry/http';
import type { Authenticator } from './authenticator.ts';
import type { Connections } from './connections.ts';
import { countsAsNobody, refusalOf, type Outcome, type Refusal } from './outcome.ts';
import { pathOf, type RouteTable } from './routes.ts';

/** Options of {@link ForwardAuth}. */
export interface ForwardAuthSettings {
  readonly authenticator: Authenticator;
  readonly routes: RouteTable;
  readonly connections: Connections;
  /** Lower case; undefined: the original path is not looked at. */
  readonly uriHeader: string | undefined;
}

const NOBODY: readonly string[] = ['Content-Length', '0'];

/**
 * Answers another proxy's question whether a request may pass: 200 with identity headers, 401 with the reason in
 * `X-Wherry-Reason` and in the body, 503 with Retry-After when that cannot be known. A 200 without identity headers
 * means nobody, on a route that allows it.
 *
 * The asking proxy has to set the identity headers of the request from this answer, and to empty them where it has
 * none: what the client wrote under these names would otherwise be believed.
 */
export class ForwardAuth {
  readonly #settings: ForwardAuthSettings;

  constructor(settings: ForwardAuthSettings) {
    this.#settings = settings;
  }

  /** Answers. The way of a token that was seen before takes one turn and makes next to nothing. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const now = Date.now();
    const { authenticator, connections, uriHeader } = this.#settings;
    connections.seen(request.socket);
    const mayBeNobody = uriHeader === undefined ? 'never' : this.#mayBeNobody(request.rawHeaders, uriHeader);
    if (typeof mayBeNobody === 'object') return answer(response, mayBeNobody);
    if (mayBeNobody === 'always') return this.#nobody(response);
    const outcome = authenticator.judge(request, now);
    if (!(outcome instanceof Promise)) return this.#settle(response, outcome, mayBeNobody === 'perhaps', now);
    const { socket } = request;
    connections.hold(socket);
    void outcome.then((settled) => {
      connections.release(socket);
      this.#settle(response, settled, mayBeNobody === 'perhaps', now);
    });
  }

  #settle(response: ServerResponse, outcome: Outcome, mayBeNobody: boolean, now: number): void {
    const { counts } = this.#settings.authenticator;
    if (outcome.ok) {
      counts.judged(outcome);
      response.writeHead(200, outcome.answer(now) as string[]);
      response.end();
      return;
    }
    if (mayBeNobody && countsAsNobody(outcome)) return this.#nobody(response);
    counts.judged(outcome);
    answer(response, outcome);
  }

  #nobody(response: ServerResponse): void {
    this.#settings.authenticator.counts.nobody();
    response.writeHead(200, NOBODY as string[]);
    response.end();
  }

  /** What the route of the original request says. A path that cannot be routed is refused, one without a route asks for a user. */
  #mayBeNobody(rawHeaders: readonly string[], uriHeader: string): 'never' | 'perhaps' | 'always' | Refusal {
    let target: string | undefined;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      if (rawHeaders[at]?.length !== uriHeader.length || rawHeaders[at]?.toLowerCase() !== uriHeader) continue;
      if (target !== undefined) return refusalOf('none', new WherryError('bad_request', `more than one ${uriHeader} header`));
      target = rawHeaders[at + 1] ?? '';
    }
    if (target === undefined) return 'never';
    try {
      switch (this.#settings.routes.find(pathOf(target))?.auth) {
        case 'none':
          return 'always';
        case 'optional':
          return checked(target, 'perhaps');
        case 'required':
        case undefined:
          return checked(target, 'never');
      }
    } catch (error) {
      return refusalOf('none', asWherryError(error));
    }
  }
}

/** Writes a refusal. */
export function answer(response: ServerResponse, { status, headers, body }: Refusal): void {
  response.writeHead(status, headers as string[]);
  response.end(body);
}

/** Refuses a token in the original query as `authorizationOf` does in our own (RFC 9700 section 4.3.2). */
function checked<T>(target: string, value: T): T {
  authorizationOf({ url: target, rawHeaders: [] });
  return value;
}
