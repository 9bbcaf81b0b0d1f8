import type { CookieReading, SessionCookie } from '../session-cookie.ts';

/** A cookie that holds what another one holds, in base64 (RFC 4648 section 4 or 5, with padding or without). */
export class Base64Cookie implements SessionCookie {
  readonly name: string;
  readonly signed: boolean;
  readonly #plain: SessionCookie;
  readonly #outer: SessionCookie;

  /** `plain` judges the decoded id, `outer` picks the encoded one from a header. */
  constructor(plain: SessionCookie, outer: SessionCookie) {
    this.name = plain.name;
    this.signed = plain.signed;
    this.#plain = plain;
    this.#outer = outer;
  }

  read(header: string | undefined): CookieReading {
    const reading = this.#outer.read(header);
    return reading.outcome === 'verified' ? this.verify(reading.rawId) : reading;
  }

  verify(value: string): CookieReading {
    const bytes = Buffer.from(value, 'base64');
    const text = bytes.toString('utf8');
    const written = [bytes.toString('base64'), bytes.toString('base64url')].map((each) => each.replace(/=+$/, ''));
    // Node's decoder passes over what is no base64: two cookies must not name one session.
    if (!written.includes(value.replace(/=+$/, ''))) return { outcome: 'invalid', reason: 'malformed' };
    return text === '' ? { outcome: 'absent' } : this.#plain.verify(text);
  }

  build(rawId: string): string {
    return this.#outer.build(Buffer.from(rawId, 'utf8').toString('base64'));
  }
}
