import type { SessionDecoder } from '../../source/decoder.ts';
import type { DecoderOptions } from '../format.ts';
import { jsonSessionDecoder, own, type JsonLife } from '../json-session.ts';

/**
 * Makes the decoder of what koa-session 5 to 7 hands to an external store, as JSON: an object with `_expire` and `_maxAge`
 * (ms), or with `_session` where it lasts as long as the browser is open.
 */
export function koaJsonDecoder(options: DecoderOptions): SessionDecoder {
  return jsonSessionDecoder(options, lifeOf);
}

function lifeOf(session: Record<string, unknown>): JsonLife {
  const expire = own(session, '_expire');
  const maxAge = own(session, '_maxAge');
  if (typeof expire === 'number' && typeof maxAge === 'number')
    return { idleMs: Math.max(0, Math.ceil(maxAge)), expireTime: Math.ceil(expire) };
  return own(session, '_session') === true ? { idleMs: null } : 'neither "_expire" and "_maxAge" nor "_session" is there';
}
