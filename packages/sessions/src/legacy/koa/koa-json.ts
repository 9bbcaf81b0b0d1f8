import type { SessionDecoder, Undecodable } from '../../source/decoder.ts';
import type { DecoderOptions } from '../format.ts';
import { IdentityFault, checkIdentity, identityOf } from '../identity-mapping.ts';
import { depthWithin } from '../json-depth.ts';

/** The outcome of one decoding. */
type Decoding = ReturnType<SessionDecoder>;

/**
 * Makes the decoder of what koa-session 5 to 7 hands to an external store, as JSON: an object with `_expire` and `_maxAge`
 * (ms), or with `_session` where it lasts as long as the browser is open. `attributes` is the stored text itself.
 */
export function koaJsonDecoder(options: DecoderOptions): SessionDecoder {
  const { identity, maxBytes = 512 * 1024, maxDepth = 32 } = options;
  checkIdentity(identity);
  return (value): Decoding => {
    // A character takes at most 3 bytes for each of its UTF-16 units, so most values need no counting.
    if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) return fault('too_large', `more than ${maxBytes} bytes`);
    if (!depthWithin(value, maxDepth)) return fault('too_deep', `nested deeper than ${maxDepth}`);
    const session = parse(value);
    if (session === undefined) return fault('not_json', 'the text is no JSON (RFC 8259)');
    if (!isObject(session)) return fault('not_a_session', 'the JSON is no object');
    const expire = own(session, '_expire');
    const maxAge = own(session, '_maxAge');
    const lasting = typeof expire === 'number' && typeof maxAge === 'number';
    if (!lasting && own(session, '_session') !== true)
      return fault('not_a_session', 'neither "_expire" and "_maxAge" nor "_session" is there');
    try {
      const life = lasting ? { idleMs: Math.max(0, Math.ceil(maxAge)), expireTime: Math.ceil(expire) } : { idleMs: null };
      return { ok: true, session: { ...identityOf(session, identity), attributes: value, ...life } };
    } catch (error) {
      if (error instanceof IdentityFault) return fault('identity_invalid', error.message);
      throw error;
    }
  };
}

function fault(reason: Undecodable['reason'], detail: string): Decoding {
  return { ok: false, why: { reason, detail } };
}

/** undefined: no JSON. The parser's own message quotes the text, so it goes no further. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
