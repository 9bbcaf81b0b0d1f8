import { createHmac, timingSafeEqual } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { KOA_COOKIES, cookiePick } from './cookie-pick.ts';
import type { CookieReading, SessionCookie, SessionCookieOptions } from './session-cookie.ts';

/** Longest value that is looked at, which is what browsers keep (RFC 6265 section 6.1). */
const MAX_LENGTH = 4096;

/**
 * A cookie beside a second one, `name.sig`, with its signature: base64url of HMAC-SHA-1 over `name=value`, as the package
 * `cookies` makes it by `keygrip`.
 */
export class KeygripCookie implements SessionCookie {
  readonly name: string;
  readonly signed = true;
  readonly #secrets: readonly string[];

  /** `config_invalid` without a secret, or with an empty one. */
  constructor({ name = 'koa.sess', secrets }: SessionCookieOptions) {
    if (secrets.length === 0 || secrets.includes('')) {
      throw new WherryError('config_invalid', 'the secrets of the legacy session cookie: at least one is needed, none may be empty');
    }
    this.name = name;
    this.#secrets = secrets;
  }

  read(header: string | undefined): CookieReading {
    const value = header === undefined ? undefined : cookiePick(header, this.name, KOA_COOKIES);
    if (header === undefined || value === undefined || value === '') return { outcome: 'absent' };
    if (value.length > MAX_LENGTH) return { outcome: 'invalid', reason: 'too_long' };
    const presented = Buffer.from(cookiePick(header, `${this.name}.sig`, KOA_COOKIES) ?? '');
    if (presented.length === 0) return { outcome: 'invalid', reason: 'unsigned' };
    for (const secret of this.#secrets) {
      const expected = Buffer.from(this.#signature(value, secret));
      if (presented.length === expected.length && timingSafeEqual(presented, expected)) return { outcome: 'verified', rawId: value };
    }
    return { outcome: 'invalid', reason: 'signature' };
  }

  /** The value alone proves nothing. */
  verify(value: string): CookieReading {
    return value === '' ? { outcome: 'absent' } : { outcome: 'invalid', reason: 'unsigned' };
  }

  build(rawId: string): string {
    return `${this.name}=${rawId}; ${this.name}.sig=${this.#signature(rawId, this.#secrets[0] ?? '')}`;
  }

  #signature(value: string, secret: string): string {
    return createHmac('sha1', secret).update(`${this.name}=${value}`, 'utf8').digest('base64url');
  }
}
