import type { DecodedSession, SessionDecoder, Undecodable } from '../source/decoder.ts';
import type { DecoderOptions } from './format.ts';
import { IdentityFault, checkIdentity, identityOf } from './identity-mapping.ts';
import { depthWithin } from './json-depth.ts';

/** The life that a session says itself to have, or words for why it is none of the software's. */
export type JsonLife = Pick<DecodedSession, 'idleMs' | 'expireTime'> | string;

type Decoding = ReturnType<SessionDecoder>;

/**
 * Makes the decoder of software that stores a session as a JSON object. `attributes` of the decoded session is the stored
 * text itself, so that the application gets back what it wrote, to the byte. `lifeOf` tells its own sessions from others.
 */
export function jsonSessionDecoder(options: DecoderOptions, lifeOf: (session: Record<string, unknown>) => JsonLife): SessionDecoder {
  const { identity, maxBytes = 512 * 1024, maxDepth = 32 } = options;
  checkIdentity(identity);
  return (value): Decoding => {
    // A character takes at most 3 bytes for each of its UTF-16 units, so most values need no counting.
    if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) return fault('too_large', `more than ${maxBytes} bytes`);
    if (!depthWithin(value, maxDepth)) return fault('too_deep', `nested deeper than ${maxDepth}`);
    const session = parse(value);
    if (session === undefined) return fault('not_json', 'the text is no JSON (RFC 8259)');
    if (!isObject(session)) return fault('not_a_session', 'the JSON is no object');
    const life = lifeOf(session);
    if (typeof life === 'string') return fault('not_a_session', life);
    try {
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

/** An object that is no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that was stored, never one of the prototype. */
export function own(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
