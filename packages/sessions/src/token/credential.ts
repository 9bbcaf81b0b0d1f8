import { SESSION_TOKEN_PREFIX } from './session-token.ts';

/** What a bearer credential looks like. It says who judges it, not whether it is valid. */
export type CredentialKind = 'jwt' | 'session-token' | 'unknown';

/**
 * Tells by its look who judges a bearer credential: three segments, even empty ones, are a JWT (RFC 7515 section 7.1)
 * and are judged as such, finally; `st_` is a session token; anything else is unknown.
 */
export function classifyCredential(text: string): CredentialKind {
  const first = text.indexOf('.');
  if (first >= 0) {
    const second = text.indexOf('.', first + 1);
    return second >= 0 && text.indexOf('.', second + 1) < 0 ? 'jwt' : 'unknown';
  }
  return text.startsWith(SESSION_TOKEN_PREFIX) ? 'session-token' : 'unknown';
}
