import { systemClock, WherryError, type Clock } from '@wherry/core';
import { CALLERS_HEADER, CALL_FORM, PROVED_AT_HEADER, callKey, checkAge, lengthenChain, serviceName } from './call-chain.ts';
import { SIGNATURE_HEADER, encodeIdentity, isIdentityHeader, type IdentityHeaders } from './identity-headers.ts';
import { secretsOf, signIdentity, type IdentitySecret } from './identity-mac.ts';
import { currentIdentity, type RequestIdentity } from './principal-context.ts';
import { fetchWithin } from './origin-bound-fetch.ts';

/** Options of {@link propagatePrincipal}. */
export interface PropagationOptions {
  /** The name of this service, as those that it calls know it. */
  readonly service: string;
  /** This service's own secret, at least 32 bytes; nobody else has it. The keys of its calls come from it (`callKey`). */
  readonly secret: IdentitySecret;
  /** Whom the principal may be carried to: the name of the service by its origin, e.g. `{'http://billing:8080': 'billing'}`. */
  readonly targets: Readonly<Record<string, string>>;
  /** What sends the requests; default: the global one. */
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
}

/** Calls other services on behalf of the present request's user. */
export interface PrincipalPropagation {
  /**
   * Like the global one. A request to one of the targets carries who is calling; identity headers that the caller put in
   * himself are taken out of every request. Redirects within the origin carry it on, those to any other lose it for good,
   * also where they come back. The answer to a redirected request tells `redirected: false` when it stayed in the origin.
   * Errors beside those of `fetch`: see {@link PrincipalPropagation.headersFor}.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * The headers for one request to `url`, for another client: good for 30 seconds and for that target only. None for an
   * origin that is no target and for nobody. The client must not follow redirects with them. Errors: `call_chain_too_deep`
   * when the request came through 8 services already, `unauthenticated` when the gateway named the user over 15 minutes ago.
   */
  headersFor(url: string | URL): IdentityHeaders;
}

/**
 * Carries the principal of the present request on to the next service, signed by this one, with the services through
 * which it came. Errors: `config_invalid` for a short secret, an impossible name or a target that is not an origin.
 */
export function propagatePrincipal(options: PropagationOptions): PrincipalPropagation {
  const clock = options.clock ?? systemClock;
  const [secret = ''] = secretsOf(options.secret);
  const service = serviceName(options.service);
  const keys = new Map(Object.entries(options.targets).map(([origin, to]) => [originOf(origin), callKey(secret, { from: service, to })]));
  const send = options.fetch ?? ((input, init) => globalThis.fetch(input, init));

  const sign = (origin: string, identity: RequestIdentity): IdentityHeaders => {
    const key = keys.get(origin);
    if (key === undefined || identity.principal === undefined) return {};
    const now = clock.now();
    const provedAt = identity.provedAt ?? now;
    checkAge(provedAt, now);
    const headers: IdentityHeaders = {
      ...encodeIdentity(identity.principal),
      [CALLERS_HEADER]: lengthenChain(identity.callers, service).join(','),
      [PROVED_AT_HEADER]: String(Math.trunc(provedAt)).padStart(13, '0'),
    };
    return { ...headers, [SIGNATURE_HEADER]: signIdentity(CALL_FORM, key, now, headers) };
  };

  return {
    headersFor: (url) => sign(new URL(url).origin, currentIdentity()),
    fetch: async (input, init) => {
      const identity = currentIdentity();
      const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
      for (const name of Array.from(headers.keys()).filter(isIdentityHeader)) headers.delete(name);
      const { origin } = new URL(input instanceof Request ? input.url : input);
      if (!keys.has(origin) || identity.principal === undefined) return send(input, { ...init, headers });
      return fetchWithin(origin, input, { ...init, headers }, () => sign(origin, identity), send);
    },
  };
}

function originOf(text: string): string {
  const url = URL.parse(text);
  const http = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === null || !http || url.origin !== text) {
    throw new WherryError('config_invalid', `"${text}" is not an origin: scheme, host and port, nothing after, as in http://billing:8080`);
  }
  return url.origin;
}
