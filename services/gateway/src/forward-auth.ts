import { WherryError, asWherryError, type Logger } from '@wherry/core';
import { authorizationOf, type AuthorizationSource } from '@wherry/http';
import { Answer } from './answer.ts';
import type { Authenticator } from './authenticator.ts';
import { countsAsNobody, refusalOf, type Outcome, type Refusal } from './outcome.ts';
import { NO_HEADERS, withResponseHeaders, type ResponseHeaders } from './respond.ts';
import { pathOf, type RouteTable } from './routes.ts';

/** Options of {@link ForwardAuth}. */
export interface ForwardAuthSettings {
  readonly authenticator: Pick<Authenticator, 'judge' | 'counts'>;
  readonly routes: RouteTable;
  readonly log: Logger;
  /** Lower case; undefined: the original path is not looked at. */
  readonly uriHeader: string | undefined;
}

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
  answer(request: AuthorizationSource): Answer | Promise<Answer> {
    try {
      const answer = this.#judge(request);
      return answer instanceof Promise ? answer.catch((error: unknown) => this.#failed(error)) : answer;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #judge(request: AuthorizationSource): Answer | Promise<Answer> {
    const now = Date.now();
    const { authenticator, uriHeader } = this.#settings;
    const mayBeNobody = uriHeader === undefined ? 'never' : this.#mayBeNobody(request.rawHeaders, uriHeader);
    if (typeof mayBeNobody === 'object') return mayBeNobody.answer;
    if (mayBeNobody === 'always') return this.#nobody();
    const outcome = authenticator.judge(request, now);
    if (!(outcome instanceof Promise)) return this.#settle(outcome, mayBeNobody === 'perhaps', now);
    return outcome.then((settled) => this.#settle(settled, mayBeNobody === 'perhaps', now));
  }

  #settle(outcome: Outcome, mayBeNobody: boolean, now: number): Answer {
    const { counts } = this.#settings.authenticator;
    if (!outcome.ok && mayBeNobody && countsAsNobody(outcome)) return this.#nobody(outcome.respond);
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

/** Refuses a token in the original query as `authorizationOf` does in our own (RFC 9700 section 4.3.2). */
function checked<T>(target: string, value: T): T {
  authorizationOf({ url: target, rawHeaders: [] });
  return value;
}
