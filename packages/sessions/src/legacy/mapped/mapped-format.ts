import { textOfBytes } from '../../source/text-of-bytes.ts';
import { USUAL_COOKIES } from '../cookie-pick.ts';
import { ExpressCookie } from '../express/express-cookie.ts';
import type { SessionFormat } from '../format.ts';
import { KeygripCookie } from '../keygrip-cookie.ts';
import { PHP_CANARIES } from '../php/formats.ts';
import { PlainCookie } from '../plain-cookie.ts';
import { PICKLED_CANARY } from '../python/pickled-canary.ts';
import type { SessionCookie, SessionCookieOptions } from '../session-cookie.ts';
import { Base64Cookie } from './base64-cookie.ts';
import { mappedDecoder } from './mapped-session.ts';
import { pathsOf, type SessionMapping } from './mapping.ts';

/** The name by which a configuration asks for a mapping in place of a format. */
export const MAPPED = 'mapped';

/** What an id without a signature may look like: it is looked up, so it is short, and no sign in it means anything to a store. */
const ID = /^[0-9A-Za-z_.,~:@+/=-]{1,256}$/;
const BASE64 = /^[0-9A-Za-z_+/=-]{1,400}$/;

/**
 * The format that a mapping describes. JSON may lie in any source, other values where bytes can: in Redis. Errors:
 * `config_invalid` for a mapping that cannot be meant.
 */
export function mappedFormat(mapping: SessionMapping): SessionFormat {
  pathsOf(mapping);
  const json = mapping.value === 'json';
  return {
    name: MAPPED,
    stores: json ? ['redis', 'dynamodb', 'mongodb'] : ['redis'],
    prefix: 'session:',
    cookieName: 'session',
    bytes: !json,
    canary: canaryOf(mapping.value),
    signedCookie: mapping.cookie === 'express-signed' || mapping.cookie === 'keygrip',
    decoder: (options) => mappedDecoder(mapping, options),
    cookie: (options) => cookieOf(mapping.cookie, { name: 'session', ...options }),
  };
}

/** A session without a user; no path of a mapping need be in it. */
function canaryOf(value: SessionMapping['value']): string {
  switch (value) {
    case 'json':
      return '{"canary":"ä\\u0000 🚢"}';
    case 'msgpack':
      return textOfBytes(Buffer.from([0x81, 0xa1, 0x63, 0x01]));
    case 'php':
    case 'php_serialize':
    case 'php_binary':
      return PHP_CANARIES[value];
    case 'pickle':
      return PICKLED_CANARY;
    case 'urlencoded':
      return textOfBytes(Buffer.from('canary=%C3%A4'));
  }
}

function cookieOf(cookie: SessionMapping['cookie'], options: SessionCookieOptions & { readonly name: string }): SessionCookie {
  switch (cookie) {
    case 'plain':
      return plain(options.name, ID);
    case 'base64':
      return new Base64Cookie(plain(options.name, ID), plain(options.name, BASE64));
    case 'express-signed':
      return new ExpressCookie(options);
    case 'keygrip':
      return new KeygripCookie(options);
  }
}

function plain(name: string, id: RegExp): PlainCookie {
  return new PlainCookie({ name, id, rules: USUAL_COOKIES });
}
