import { WherryError } from '@wherry/core';

/** The cookie by which a client renews its access token; no upstream gets to see it. */
export const RENEWAL_COOKIE: string = '__Host-rt';

/** What a browser is told to do with a cookie. */
export interface CookieOptions {
  /** Seconds; 0: it goes at once. Absent: it goes with the browser's session. */
  readonly maxAgeSeconds?: number;
  /** Default `Lax`: other sites' pages send it with links only. */
  readonly sameSite?: 'Strict' | 'Lax' | 'None';
}

/** RFC 6265 section 4.1.1: cookie-octet. */
const VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
/** A token (RFC 9110 section 5.6.2) behind the prefix that binds a cookie to its host. */
const NAME = /^__Host-[\w!#$%&'*+.^`|~-]+$/;
/** What browsers take of name and value together, bytes. */
const LONGEST = 4096;

/**
 * The value of Set-Cookie for a cookie of this host alone: a name with `__Host-`, and with it Secure, Path=/ and no
 * Domain, which browsers insist on (RFC 6265bis section 4.1.3.2), so that neither a neighbour under the same domain nor a
 * page without TLS can set or replace it; HttpOnly, so that no script reads it. Errors: `config_invalid` for a name or a
 * value that has no such form; the value is not in the message.
 */
export function serializeCookie(name: string, value: string, { maxAgeSeconds, sameSite = 'Lax' }: CookieOptions = {}): string {
  if (!NAME.test(name)) throw new WherryError('config_invalid', 'the name of a cookie begins with __Host- and goes on as a token');
  if (!VALUE.test(value) || name.length + value.length > LONGEST)
    throw new WherryError('config_invalid', `the value of the cookie ${name} has characters that are not allowed, or is too long`);
  if (maxAgeSeconds !== undefined && !(Number.isSafeInteger(maxAgeSeconds) && maxAgeSeconds >= 0))
    throw new WherryError('config_invalid', `the age of the cookie ${name} is not a whole number of seconds`);
  const age = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`;
  return `${name}=${value}; Path=/${age}; Secure; HttpOnly; SameSite=${sameSite}`;
}

/** The Set-Cookie value that takes a cookie of {@link serializeCookie} away. Errors: as there. */
export function expireCookie(name: string, options: Pick<CookieOptions, 'sameSite'> = {}): string {
  return serializeCookie(name, '', { ...options, maxAgeSeconds: 0 });
}

/**
 * The value of one cookie in a Cookie header; undefined: it is not there. One that is there twice counts as not there:
 * a browser keeps a single `__Host-` cookie of a name, so somebody has put one beside it. Names compare exactly.
 */
export function readCookie(header: string | undefined, name: string): string | undefined {
  let found: string | undefined;
  for (const pair of header?.split(';') ?? []) {
    if (nameOf(pair) !== name) continue;
    if (found !== undefined) return undefined;
    found = pair.slice(pair.indexOf('=') + 1).trim();
  }
  return found;
}

/** A Cookie header without the cookies of a name, everything else as it came; undefined: nothing is left. */
export function withoutCookie(header: string, name: string): string | undefined {
  if (!header.includes(name)) return header;
  const pairs = header.split(';');
  const left = pairs.filter((pair) => nameOf(pair) !== name);
  if (left.length === pairs.length) return header;
  const text = left.join(';').trim();
  return text === '' ? undefined : text;
}

/** Without `=` the whole is the name: some servers read it so, and it must not slip through under that reading. */
function nameOf(pair: string): string {
  const end = pair.indexOf('=');
  return (end === -1 ? pair : pair.slice(0, end)).trim();
}
