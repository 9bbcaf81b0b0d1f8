import { PHP_COOKIES } from '../cookie-pick.ts';
import { textOfBytes } from '../../source/text-of-bytes.ts';
import type { SessionFormat } from '../format.ts';
import { PlainCookie } from '../plain-cookie.ts';
import { phpSessionDecoder, type PhpHandler } from './php-session.ts';

/** What PHP itself takes for an id: `session.sid_bits_per_character` 4 to 6, and what applications make. */
const ID = /^[0-9A-Za-z,-]{1,256}$/;

/** A variable `canary` without a user, each handler's way. */
export const PHP_CANARIES: Readonly<Record<PhpHandler, string>> = {
  php: textOfBytes(Buffer.from('canary|s:2:"ä";')),
  php_serialize: textOfBytes(Buffer.from('a:1:{s:6:"canary";s:2:"ä";}')),
  php_binary: textOfBytes(Buffer.from('\u0006canarys:2:"ä";')),
};

function phpFormat(name: string, handler: PhpHandler): SessionFormat {
  return {
    name,
    stores: ['redis'],
    prefix: 'PHPREDIS_SESSION:',
    cookieName: 'PHPSESSID',
    bytes: true,
    canary: PHP_CANARIES[handler],
    signedCookie: false,
    decoder: (options) => phpSessionDecoder(handler, options),
    cookie: ({ name: cookieName = 'PHPSESSID' }) => new PlainCookie({ name: cookieName, id: ID, rules: PHP_COOKIES }),
  };
}

/** PHP's own sessions in Redis by phpredis, `session.serialize_handler` as it comes. */
export const php: SessionFormat = phpFormat('php', 'php');

/** The same with `session.serialize_handler = php_serialize`. */
export const phpSerialize: SessionFormat = phpFormat('php-serialize', 'php_serialize');

/** The same with `session.serialize_handler = php_binary`. */
export const phpBinary: SessionFormat = phpFormat('php-binary', 'php_binary');
