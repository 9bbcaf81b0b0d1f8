import { WherryError, asWherryError, type Logger } from '@wherry/core';
import { authorizationOf, type AuthorizationSource, type CrossSiteSource } from '@wherry/http';
import { Answer } from './answer.ts';
import type { Authenticator } from './authenticator.ts';
import type { Peer } from './limits/client-addresses.ts';
import type { Gate } from './limits/gate.ts';
import { countsAsNobody, refusalOf, type Outcome, type Refusal } from './outcome.ts';
import { NO_HEADERS, withResponseHeaders, type ResponseHeaders } from './respond.ts';
import { pathOf, type Route, type RouteTable } from './routes.ts';
import type { JudgedRequest } from './token-judge.ts';

/** Options of {@link ForwardAuth}. */
export interface ForwardAuthSettings {
  readonly authenticator: Pick<Authenticator, 'judge' | 'counts'>;
  readonly routes: RouteTable;
  /** What a request has to pass beside; absent: nothing. */
  readonly gate?: Gate;
  readonly log: Logger;
  /** Lower case; undefined: the original path is not looked at. */
  readonly uriHeader: string | undefined;
  /** Below it, the rest of a question's own path is the original one; undefined: nowhere. */
  readonly prefix?: string | undefined;
}

/** What of a question is looked at. */
type Question = AuthorizationSource & CrossSiteSource;

const NOBODY = new Answer(200, ['Content-Length', '0']);

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

  /** The answer to a question; never throws nor rejects, because nobody above could say more than 500. The way of a token that was seen before takes one turn and makes next to nothing. */
  answer(request: Question, peer?: Peer): Answer | Promise<Answer> {
    try {
      const answer = this.#judge(request, peer);
      return answer instanceof Promise ? answer.catch((error: unknown) => this.#failed(error)) : answer;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #judge(request: Question, peer: Peer | undefined): Answer | Promise<Answer> {
    const now = Date.now();
    const { authenticator, gate } = this.#settings;
    const route = this.#routeOf(request);
    if (route !== undefined && 'answer' in route) return route.answer;
    const refused = gate?.before(route, request, peer);
    if (refused !== undefined) return this.#settle(refused, route, request, now);
    if (route?.auth === 'none') return this.#nobody();
    const outcome = authenticator.judge(this.#asked(request), now, peer);
    if (!(outcome instanceof Promise)) return this.#settle(outcome, route, request, now);
    return outcome.then((settled) => this.#settle(settled, route, request, now));
  }

  #settle(judged: Outcome, route: Route | undefined, request: Question, now: number): Answer {
    const { authenticator, gate } = this.#settings;
    const { counts } = authenticator;
    const outcome = judged.ok ? (gate?.after(route, request, judged) ?? judged) : judged;
    if (!outcome.ok && route?.auth === 'optional' && countsAsNobody(outcome)) return this.#nobody(outcome.respond);
    counts.judged(outcome);
    return outcome.ok ? outcome.answer(now) : outcome.answer;
  }

  #failed(thrown: unknown): Answer {
    this.#settings.log.error('a question could not be answered', { error: thrown });
    return refusalOf('none', asWherryError(thrown)).answer;
  }

  #nobody(respond: ResponseHeaders = NO_HEADERS): Answer {
    this.#settings.authenticator.counts.nobody();
    return respond.length === 0 ? NOBODY : new Answer(200, withResponseHeaders(NOBODY.headers, respond));
  }

  /** The question, with what a proof of possession in it has to be for: the request that is asked about. */
  #asked(question: Question): JudgedRequest {
    const { prefix, uriHeader } = this.#settings;
    const { url = '', method, rawHeaders } = question;
    if (prefix !== undefined && isBelow(prefix, url))
      return { url, rawHeaders, proved: () => ({ method, url: url.slice(prefix.length), rawHeaders }) };
    if (uriHeader === undefined) return question;
    return {
      url,
      rawHeaders,
      proved: () => ({ method: single(rawHeaders, METHOD_HEADERS), url: single(rawHeaders, new Set([uriHeader])), rawHeaders }),
    };
  }

  /** The route of the original request; undefined: none is told, or there is none, and a user is asked for. Refused: a path that cannot be routed. */
  #routeOf({ url = '', rawHeaders }: Question): Route | Refusal | undefined {
    const { prefix, uriHeader } = this.#settings;
    let target = prefix === undefined || !isBelow(prefix, url) ? undefined : url.slice(prefix.length);
    if (target === undefined && uriHeader !== undefined) {
      for (let at = 0; at < rawHeaders.length; at += 2) {
        if (rawHeaders[at]?.length !== uriHeader.length || rawHeaders[at]?.toLowerCase() !== uriHeader) continue;
        if (target !== undefined) return refusalOf('none', new WherryError('bad_request', `more than one ${uriHeader} header`));
        target = rawHeaders[at + 1] ?? '';
      }
    }
    if (target === undefined) return undefined;
    try {
      const route = this.#settings.routes.find(pathOf(target));
      if (route?.auth !== 'none') refuseTokenInQuery(target);
      return route;
    } catch (error) {
      return refusalOf('none', asWherryError(error));
    }
  }
}

/** In which of these a proxy tells the method of the request that it asks about. */
const METHOD_HEADERS: ReadonlySet<string> = new Set(['x-forwarded-method', 'x-original-method']);

/** The one header of these names; undefined also where there are several: nobody knows which of them the proxy wrote. */
function single(rawHeaders: readonly string[], names: ReadonlySet<string>): string | undefined {
  const found = rawHeaders.filter((_, at) => at % 2 === 1 && names.has(rawHeaders[at - 1]?.toLowerCase() ?? ''));
  return found.length === 1 ? found[0] : undefined;
}

/** Whether a question's target begins with the prefix, at the border of a segment. */
export function isBelow(prefix: string, target: string): boolean {
  return target.startsWith(prefix) && target.charCodeAt(prefix.length) === 0x2f;
}

/** As `authorizationOf` does in our own query (RFC 9700 section 4.3.2). */
function refuseTokenInQuery(target: string): void {
  authorizationOf({ url: target, rawHeaders: [] });
}
