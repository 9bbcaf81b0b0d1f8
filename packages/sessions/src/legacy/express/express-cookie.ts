import { createHmac, timingSafeEqual } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { cookieValue } from '../cookie-header.ts';
import type { CookieReading, SessionCookie, SessionCookieOptions } from '../session-cookie.ts';

/** How an Express application signs its session cookie; its name is `connect.sid` by default. */
export interface ExpressCookieOptions extends SessionCookieOptions {
  /** Longest signed value that is looked at, in characters; default 4096, which is what browsers keep (RFC 6265 section 6.1). */
  readonly maxLength?: number;
}

const SIGNED = 's:';

/**
 * Reads and writes the signed cookie of express-session 1.x: `s:<id>.<base64 HMAC-SHA-256 of the id, unpadded>`,
 * percent-encoded. Accepts exactly what the library accepts, below a cap on the length.
 */
export class ExpressCookie implements SessionCookie {
  readonly name: string;
  readonly signed = true;
  readonly #secrets: readonly string[];
  readonly #maxLength: number;

  /** `config_invalid` without a secret, or with an empty one. */
  constructor(options: ExpressCookieOptions) {
    if (options.secrets.length === 0 || options.secrets.includes('')) {
      throw new WherryError('config_invalid', 'the secrets of the legacy session cookie: at least one is needed, none may be empty');
    }
    this.name = options.name ?? 'connect.sid';
    this.#secrets = options.secrets;
    this.#maxLength = options.maxLength ?? 4096;
  }

  /** The session id that the Cookie header of a request carries, its signature verified in constant time. */
  read(header: string | undefined): CookieReading {
    const value = header === undefined ? undefined : cookieValue(header, this.name);
    if (value === undefined || value === '') return { outcome: 'absent' };
    return this.verify(value);
  }

  /** The session id in a cookie value that has been percent-decoded already. */
  verify(value: string): CookieReading {
    if (value.length > this.#maxLength) return { outcome: 'invalid', reason: 'too_long' };
    if (!value.startsWith(SIGNED)) return { outcome: 'invalid', reason: 'unsigned' };
    const dot = value.lastIndexOf('.');
    // An empty id is signed as well as any other, and the library takes it for no session.
    if (dot <= SIGNED.length) return { outcome: 'invalid', reason: 'signature' };
    const rawId = value.slice(SIGNED.length, dot);
    const presented = Buffer.from(value.slice(dot + 1));
    for (const secret of this.#secrets) {
      const expected = Buffer.from(signature(rawId, secret));
      if (presented.length === expected.length && timingSafeEqual(presented, expected)) return { outcome: 'verified', rawId };
    }
    return { outcome: 'invalid', reason: 'signature' };
  }

  /** `name=value` for a Cookie or Set-Cookie header that the application accepts for session `rawId`. */
  build(rawId: string): string {
    return `${this.name}=${encodeURIComponent(`${SIGNED}${rawId}.${signature(rawId, this.#secrets[0] ?? '')}`)}`;
  }
}

function signature(rawId: string, secret: string): string {
  return createHmac('sha256', secret).update(rawId, 'utf8').digest('base64').replace(/=+$/, '');
}
