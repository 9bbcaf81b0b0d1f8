import { WherryError, systemClock, type Clock } from '@wherry/core';
import type { CrossSitePolicy } from '@wherry/http';
import { RequestLimits } from './limits/request-limits.ts';
import type { GatewayRoute } from './options.ts';

/** A route as it is used. */
export interface Route {
  readonly prefix: string;
  readonly upstream: string;
  readonly auth: 'required' | 'optional' | 'none';
  readonly stripBearer: boolean;
  readonly crossSite: CrossSitePolicy;
  /** Its own; undefined: those of all routes that have none. */
  readonly limits: RequestLimits | undefined;
}

/** Nothing in it that two servers could read in two ways. */
const PLAIN = /^(?:\/(?![./])[A-Za-z0-9\-_.~!$&'()*+,=:@]*)+$/;
const TARGET = /^\/[\x21-\x7e]*$/;

/** Which route a path belongs to. */
export class RouteTable {
  /** Longest first, so the first that fits decides. */
  readonly #routes: readonly (Route & { readonly key: string })[];

  /** Errors: `config_invalid` for a prefix that no path can have, one that is there twice, or an upstream that is no origin. */
  constructor(routes: readonly GatewayRoute[], clock: Clock = systemClock) {
    this.#routes = routes
      .map(({ prefix, upstream, auth = 'required', stripBearer = false, crossSite = 'check', limits }) => ({
        prefix,
        upstream: originOf(prefix, upstream),
        auth,
        stripBearer,
        crossSite,
        limits: RequestLimits.of(limits, clock),
        key: keyOf(prefix),
      }))
      .toSorted((a, b) => b.key.length - a.key.length);
    const keys = this.#routes.map(({ key }) => key);
    const twice = keys.find((key, at) => keys.indexOf(key) !== at);
    if (twice !== undefined) throw new WherryError('config_invalid', `routes: the prefix ${twice || '/'} is there twice`);
  }

  /** The origins of all upstreams, each once. */
  get upstreams(): readonly string[] {
    return [...new Set(this.#routes.map(({ upstream }) => upstream))];
  }

  /** The route of a path as {@link pathOf} answers it; undefined: none. */
  find(path: string): Route | undefined {
    return this.#routes.find(({ key }) => path.startsWith(key) && (path.length === key.length || path.charCodeAt(key.length) === 0x2f));
  }
}

/**
 * The path by which a request is routed and by which its need for a credential is decided: decoded, in lower case, with
 * single slashes and without path parameters, because servers behind differ in what they take for the same place, and
 * `/%61dmin`, `//admin`, `/ADMIN` and `/admin;x` must all fall under the rule for `/admin`. The request itself goes on
 * as it came. Errors: `bad_request` for what could lead out of its prefix (dot segments, encoded slashes, backslashes),
 * and for what is not a path: absolute form, `*`, `#`, control characters.
 */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  if (PLAIN.test(path)) return path.toLowerCase();
  if (!TARGET.test(target) || target.includes('#')) throw new WherryError('bad_request', 'the request target is not a path');
  if (/%(?:2f|5c|00)|\\/i.test(path)) throw new WherryError('bad_request', 'the path holds an encoded slash, a backslash or NUL');
  const segments = decoded(path)
    .split('/')
    .map((segment) => (segment.includes(';') ? segment.slice(0, segment.indexOf(';')) : segment));
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw new WherryError('bad_request', 'the path holds a dot segment');
  }
  return `/${segments.filter((segment) => segment !== '').join('/')}`.toLowerCase();
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new WherryError('bad_request', 'the path is not percent-encoded UTF-8');
  }
}

/** `/` fits every path, so its key is empty; `/a/` and `/a` are one. */
function keyOf(prefix: string): string {
  let path;
  try {
    path = pathOf(prefix);
  } catch (cause) {
    throw new WherryError('config_invalid', `routes: the prefix ${prefix} is not a path; it begins with / and has no dot segments`, {
      cause,
    });
  }
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

function originOf(prefix: string, upstream: string): string {
  const url = URL.canParse(upstream) ? new URL(upstream) : undefined;
  const isOrigin =
    (url?.protocol === 'http:' || url?.protocol === 'https:') && url.pathname === '/' && url.search === '' && url.hash === '';
  if (url === undefined || !isOrigin || url.username !== '' || url.password !== '') {
    throw new WherryError('config_invalid', `routes: the upstream of ${prefix} must be scheme, host and port, e.g. http://127.0.0.1:3000`);
  }
  return url.origin;
}
