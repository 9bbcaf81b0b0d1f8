import { cookiePick, type CookieRules } from './cookie-pick.ts';
import type { CookieReading, SessionCookie } from './session-cookie.ts';

/** Options of {@link PlainCookie}. */
export interface PlainCookieOptions {
  readonly name: string;
  /** What an id may look like; it is looked up, so it is capped in length and characters. */
  readonly id: RegExp;
  /** How the application reads a Cookie header. */
  readonly rules: CookieRules;
}

/** A cookie that holds the session id and nothing that would prove it. */
export class PlainCookie implements SessionCookie {
  readonly name: string;
  readonly signed = false;
  readonly #id: RegExp;
  readonly #rules: CookieRules;

  constructor({ name, id, rules }: PlainCookieOptions) {
    this.name = name;
    this.#id = id;
    this.#rules = rules;
  }

  read(header: string | undefined): CookieReading {
    const value = header === undefined ? undefined : cookiePick(header, this.name, this.#rules);
    return value === undefined || value === '' ? { outcome: 'absent' } : this.verify(value);
  }

  verify(value: string): CookieReading {
    return this.#id.test(value) ? { outcome: 'verified', rawId: value } : { outcome: 'invalid', reason: 'malformed' };
  }

  build(rawId: string): string {
    return `${this.name}=${this.#rules.percent ? encodeURIComponent(rawId) : rawId}`;
  }
}
