import type { SessionDecoder } from '../../source/decoder.ts';
import type { DecoderOptions } from '../format.ts';
import { isObject, jsonSessionDecoder, own, type JsonLife } from '../json-session.ts';

/** Makes the decoder of what express-session 1.x stores: a JSON object with the member `cookie`. */
export function expressJsonDecoder(options: DecoderOptions): SessionDecoder {
  return jsonSessionDecoder(options, lifeOf);
}

function lifeOf(session: Record<string, unknown>): JsonLife {
  const cookie = own(session, 'cookie');
  if (!isObject(cookie)) return 'the object has no member "cookie" that is an object';
  const maxAge = own(cookie, 'originalMaxAge') ?? null;
  if (maxAge !== null && typeof maxAge !== 'number') return '"cookie.originalMaxAge" is no number';
  return { idleMs: maxAge === null ? null : Math.max(0, Math.ceil(maxAge)) };
}
