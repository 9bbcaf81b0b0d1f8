import { WherryError } from '@wherry/core';

/** What the Authorization header of a request holds. */
export type AuthorizationCredential =
  | { readonly kind: 'none' }
  /** The text behind `Bearer`, unjudged; empty when there was none. A secret: never logged. */
  | { readonly kind: 'bearer'; readonly token: string }
  /** Another scheme, e.g. `basic`, in lower case, and the text behind it: a secret. */
  | { readonly kind: 'other'; readonly scheme: string; readonly credentials: string };

/** What the extraction reads of a request. */
export interface AuthorizationSource {
  readonly url?: string | undefined;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Longest Authorization value in characters. */
export const MAX_AUTHORIZATION_LENGTH: number = 8192;

const NONE: AuthorizationCredential = { kind: 'none' };
const NAME = 'authorization';

/**
 * The credential in the Authorization header (RFC 6750 section 2.1), raw. Errors: `bad_request` for more than one such
 * header (node:http would keep the first and say nothing, while another server takes the last), for one over 8192
 * characters, and for a token in the query, which ends up in logs and histories (RFC 9700 section 4.3.2).
 */
export function authorizationOf(request: AuthorizationSource): AuthorizationCredential {
  if (hasTokenInQuery(request.url ?? ''))
    throw new WherryError('bad_request', 'an access token in the query is not accepted; send it as Authorization: Bearer');
  const value = singleAuthorization(request.rawHeaders);
  if (value === undefined) return NONE;
  if (value.length > MAX_AUTHORIZATION_LENGTH) {
    throw new WherryError('bad_request', `the Authorization header is longer than ${MAX_AUTHORIZATION_LENGTH} characters`);
  }
  const end = value.indexOf(' ');
  const scheme = (end === -1 ? value : value.slice(0, end)).toLowerCase();
  // Schemes compare without case (RFC 9110 section 11.1).
  const credentials = end === -1 ? '' : value.slice(end + 1).trim();
  if (scheme === 'bearer') return { kind: 'bearer', token: credentials };
  return scheme === '' ? NONE : { kind: 'other', scheme: scheme.slice(0, 32), credentials };
}

/** Reads the header lines as they came: the joined form hides the second one. */
function singleAuthorization(rawHeaders: readonly string[]): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name === undefined || name.length !== NAME.length || name.toLowerCase() !== NAME) continue;
    if (found !== undefined) throw new WherryError('bad_request', 'more than one Authorization header');
    found = rawHeaders[at + 1] ?? '';
  }
  return found;
}

function hasTokenInQuery(url: string): boolean {
  const at = url.indexOf('?');
  return at !== -1 && new URLSearchParams(url.slice(at + 1)).has('access_token');
}
