/**
 * Which requests of other sites' pages are refused. `off`: none. `check`: those of which the browser says that they come
 * from another site (Sec-Fetch-Site: cross-site). `strict`: all that cannot show that they come from the same origin.
 */
export type CrossSitePolicy = 'off' | 'check' | 'strict';

/** What tells where a request comes from. */
export interface CrossSiteSource {
  readonly method?: string | undefined;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/**
 * Whether a request whose credential is a cookie has to be refused, because a page of another site may have sent it: the
 * browser adds cookies whoever wrote the page. Looks only at what pages cannot write themselves: Sec-Fetch-Site (W3C Fetch
 * Metadata), Origin (RFC 6454 section 7). Safe methods pass (RFC 9110 section 9.2.1), unless they open a WebSocket. Another proxy's question has
 * the method of the request that it asks for in X-Forwarded-Method or X-Original-Method; a client that lies there only
 * harms itself, since a page cannot set them on another site without being allowed to.
 *
 * `allowedOrigins`: pages of other sites that may, e.g. `https://pay.example`.
 */
export function isCrossSite(
  { method = 'GET', rawHeaders }: CrossSiteSource,
  policy: CrossSitePolicy,
  allowedOrigins: ReadonlySet<string>,
): boolean {
  if (policy === 'off') return false;
  let changes = !SAFE.has(method);
  let site: string | undefined;
  let origin: string | undefined;
  let host: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const value = rawHeaders[at + 1] ?? '';
    switch (rawHeaders[at]?.toLowerCase() ?? '') {
      case 'x-forwarded-method':
      case 'x-original-method':
        changes ||= !SAFE.has(value.toUpperCase());
        break;
      case 'upgrade':
        changes = true;
        break;
      case 'sec-fetch-site':
        site = value.toLowerCase();
        break;
      case 'origin':
        origin = value;
        break;
      case 'host':
        host = value;
        break;
    }
  }
  if (!changes || (origin !== undefined && allowedOrigins.has(origin))) return false;
  if (policy === 'check') return site === 'cross-site';
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  // A browser from before Sec-Fetch-Site, or none at all.
  return origin === undefined || host === undefined || !isOriginOf(origin, host);
}

/** Scheme apart: whoever ends TLS in front does not always say so. */
function isOriginOf(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
