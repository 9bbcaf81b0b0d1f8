import { asWherryError } from '@wherry/core';
import { MAX_AUTHORIZATION_LENGTH, authorizationOf, type AuthorizationSource } from '@wherry/http';
import { carriedSessionKey, classifyCredential, parseSessionToken, type SessionCookie, type SessionKey } from '@wherry/sessions';
import { refusal, refusalOf, type Refusal } from './outcome.ts';

/** What a request offers as proof. Secrets: never logged. */
export type Credential =
  | { readonly kind: 'jwt'; readonly token: string }
  /** A JWT that is bound to a key, which the request has to prove (RFC 9449 section 7.1). */
  | { readonly kind: 'bound_jwt'; readonly token: string }
  | SessionCredential
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** A credential that names a session. */
export type SessionCredential =
  | { readonly kind: 'session_token'; readonly key: SessionKey }
  | { readonly kind: 'cookie'; readonly key: SessionKey; readonly rawId: string };

/**
 * The one credential by which a request is judged. A bearer decides finally, by its look: three segments are a JWT,
 * `st_` a session token, anything else nothing. Only without one the application's cookie is read. Of other schemes
 * than Bearer, DPoP alone brings credentials of ours.
 */
export function credentialOf(request: AuthorizationSource, cookie: SessionCookie | undefined): Credential {
  let authorization;
  try {
    authorization = authorizationOf(request);
  } catch (error) {
    return { kind: 'refused', refusal: refusalOf('none', asWherryError(error)) };
  }
  if (authorization.kind === 'bearer') return bearer(authorization.token);
  if (authorization.kind === 'other' && authorization.scheme === 'dpop') {
    const { credentials: token } = authorization;
    // A session token is bound to nothing, so whoever sends one like this means something else.
    return classifyCredential(token) === 'jwt' ? { kind: 'bound_jwt', token } : refused('unknown', 'credential_unknown');
  }
  return cookieCredential(request.rawHeaders, cookie);
}

const AUTHORIZATION = 'authorization';
const SCHEME = 'Bearer ';

/**
 * The bearer of a request in its ordinary form: one header, spelled as nearly everyone spells it, no query. undefined:
 * {@link credentialOf} has to look. It only ever answers what that would find, at a fraction of the cost.
 */
export function ordinaryBearer({ url, rawHeaders }: AuthorizationSource): string | undefined {
  if (url?.includes('?') !== false) return undefined;
  let found: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length !== AUTHORIZATION.length || name.toLowerCase() !== AUTHORIZATION) continue;
    if (found !== undefined) return undefined;
    found = rawHeaders[at + 1] as string;
  }
  if (found === undefined || found.length > MAX_AUTHORIZATION_LENGTH || !found.startsWith(SCHEME)) return undefined;
  // White space that the long way would take off.
  return found.charCodeAt(SCHEME.length) <= 0x20 || found.charCodeAt(found.length - 1) <= 0x20 ? undefined : found.slice(SCHEME.length);
}

function bearer(token: string): Credential {
  const kind = classifyCredential(token);
  switch (kind) {
    case 'jwt':
      return { kind, token };
    case 'session-token': {
      const key = parseSessionToken(token);
      return key === undefined ? refused('session_token', 'session_token_malformed') : { kind: 'session_token', key };
    }
    case 'unknown':
      return refused('unknown', 'credential_unknown');
  }
}

/** An id that anybody may have made up goes to a store, so it is short and has nothing in it that any id has no need of. */
const UNSIGNED_ID = /^[!-~]{1,256}$/;

/** The session that the application's cookie names; the choice among several of the name is the application's own. */
export function cookieCredential(
  rawHeaders: readonly string[],
  cookie: SessionCookie | undefined,
): SessionCredential | { readonly kind: 'refused'; readonly refusal: Refusal } {
  const reading = cookie?.read(cookieHeader(rawHeaders)) ?? { outcome: 'absent' };
  switch (reading.outcome) {
    case 'verified':
      if (cookie?.signed !== true && !UNSIGNED_ID.test(reading.rawId)) return refused('cookie', 'session_cookie_invalid');
      return { kind: 'cookie', key: carriedSessionKey(reading.rawId), rawId: reading.rawId };
    case 'absent':
      return refused('none', 'unauthenticated');
    case 'invalid':
      return refused('cookie', 'session_cookie_invalid');
  }
}

/** All Cookie lines as node:http joins them: HTTP/2 proxies split the header (RFC 9113 section 8.2.3). */
export function cookieHeader(rawHeaders: readonly string[]): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length !== 6 || name.toLowerCase() !== 'cookie') continue;
    const value = rawHeaders[at + 1] ?? '';
    found = found === undefined ? value : `${found}; ${value}`;
  }
  return found;
}

function refused(
  kind: Refusal['kind'],
  code: 'unauthenticated' | 'credential_unknown' | 'session_token_malformed' | 'session_cookie_invalid',
): { readonly kind: 'refused'; readonly refusal: Refusal } {
  return { kind: 'refused', refusal: refusal(kind, code) };
}
