import type { CookieReading, SessionCookie, SessionCookieOptions } from '../session-cookie.ts';

/** How an application of Spring Session names its cookie. */
export type SpringCookieOptions = Pick<SessionCookieOptions, 'name'>;

/** Longer than any id that is made by a generator, in characters. */
const MAX_LENGTH = 1024;
/** The basic alphabet of RFC 4648 section 4, with its padding or without, as `Base64.getDecoder()` takes it. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
/** What can be an id, and no bytes that happened to be base64. */
const ID = /^[\u0021-\u007e]+$/;
/** An id as Spring makes it, before the route of a server. */
const ROUTED = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[\w.-]+$/;

/**
 * Reads and writes the cookie of Spring Session (`DefaultCookieSerializer`): the id in base64, or plain where the
 * application has turned that off; behind a UUID the route of a server is removed. Nothing in it is signed. Of several
 * cookies of the name the first one that names an id counts; Spring tries the others as well where no session lies under that.
 */
export class SpringCookie implements SessionCookie {
  readonly name: string;
  readonly signed = false;

  constructor(options: SpringCookieOptions) {
    this.name = options.name ?? 'SESSION';
  }

  read(header: string | undefined): CookieReading {
    let found: CookieReading = { outcome: 'absent' };
    for (const value of header === undefined ? [] : valuesOf(header, this.name)) {
      if (value === '') continue;
      const reading: CookieReading = this.verify(value);
      if (reading.outcome === 'verified') return reading;
      found = reading;
    }
    return found;
  }

  verify(value: string): CookieReading {
    if (value.length > MAX_LENGTH) return { outcome: 'invalid', reason: 'too_long' };
    const decoded = BASE64.test(value) ? Buffer.from(value, 'base64').toString('latin1') : '';
    const id = ID.test(decoded) ? decoded : value;
    if (!ID.test(id)) return { outcome: 'invalid', reason: 'malformed' };
    return { outcome: 'verified', rawId: ROUTED.exec(id)?.[1] ?? id };
  }

  build(rawId: string): string {
    return `${this.name}=${Buffer.from(rawId, 'utf8').toString('base64')}`;
  }
}

/** The values of all cookies of a name, in order (RFC 6265 section 5.4), as Tomcat takes them: nothing is percent-decoded. */
function valuesOf(header: string, name: string): string[] {
  return header.split(';').flatMap((piece) => {
    const equals = piece.indexOf('=');
    return equals >= 0 && piece.slice(0, equals).trim() === name ? [piece.slice(equals + 1).trim()] : [];
  });
}
