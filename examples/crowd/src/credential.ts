import { createHash } from 'node:crypto';

/** SHA-256 in hexadecimal: how a credential appears in the record. */
export function digestOf(credential: string): string {
  return createHash('sha256').update(credential).digest('hex');
}

/**
 * The name of the session that a credential bears: SHA-256, hexadecimal, over the part of a signed cookie between `s:`
 * and its last dot, or over the 24 secret bytes of an `st_` token. It names a session and lets nobody in.
 */
export function sessionDigest(credential: string): string {
  if (credential.startsWith('st_')) {
    return createHash('sha256')
      .update(Buffer.from(credential.slice(3), 'base64url').subarray(8, 32))
      .digest('hex');
  }
  const dot = credential.lastIndexOf('.');
  if (!credential.startsWith('s:') || dot < 3) throw new Error('a credential is neither a signed cookie nor an st_ token');
  return digestOf(credential.slice(2, dot));
}

/** The type of a credential in a token exchange (RFC 8693 section 3 leaves these names to the parties). */
export function subjectTokenType(credential: string): string {
  return credential.startsWith('st_') ? 'urn:wherry:token-type:session' : 'urn:wherry:token-type:legacy-cookie';
}

/** A session cookie as a server set it. */
export interface SetCookie {
  /** Decoded. */
  readonly value: string;
  /** Epoch milliseconds; undefined: until the browser closes. */
  readonly expiresAt: number | undefined;
}

/** The cookie called `name` among the Set-Cookie headers of an answer (RFC 6265 section 4.1). */
export function findSetCookie(headers: string | readonly string[] | undefined, name: string): SetCookie | undefined {
  for (const header of typeof headers === 'string' ? [headers] : (headers ?? [])) {
    const [pair = '', ...attributes] = header.split(';');
    const equals = pair.indexOf('=');
    if (pair.slice(0, equals).trim() !== name) continue;
    const expires = attributes.map((attribute) => /^\s*expires=(.+)$/i.exec(attribute)?.[1]).find((text) => text !== undefined);
    const expiresAt = expires === undefined ? Number.NaN : Date.parse(expires);
    return { value: decodeURIComponent(pair.slice(equals + 1).trim()), expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt };
  }
  return undefined;
}

/** A Cookie header with this one cookie. */
export function cookieHeader(name: string, value: string): string {
  return `${name}=${encodeURIComponent(value)}`;
}

/** A token whose last part, the signature of a JWT (RFC 7515 section 3.1), begins with another character: what it says is whole, its proof is not. */
export function mutilated(token: string): string {
  const at = token.lastIndexOf('.') + 1;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}
