import type { SessionDecoder } from '../../source/decoder.ts';
import type { DecoderOptions } from '../format.ts';
import { inflated } from '../inflate.ts';
import { jsonStructure } from '../json-structure.ts';
import { pickledSession } from '../python/pickled-session.ts';
import { StructureFault, structureDecoder, tooLarge, type Structure, type StructureLimits } from '../structure-decoder.ts';

const BRACE = 0x7b;
const ZLIB = 0x78;
const DOT = 0x2e;
const EXPIRY = '_session_expiry';
const OWN_NAMES = ['_auth_user_id', '_auth_user_hash', EXPIRY];
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Makes the decoder of sessions in Django's cache (`django.contrib.sessions.backends.cache`): a pickled dictionary, as
 * Django's own Redis cache writes it, or JSON, or either packed by zlib, as django-redis can be set to.
 */
export function djangoCacheDecoder(options: DecoderOptions): SessionDecoder {
  return structureDecoder(options, (bytes, limits) => structureOf(dictionary(unpacked(bytes, limits), limits)));
}

/**
 * Makes the decoder of what `SessionBase.encode` writes: `django.core.signing.dumps` of the dictionary, by the JSON or the
 * pickle serializer, packed where that is shorter. The signature is not asked for: whoever writes to the store of an
 * application is the application.
 */
export function djangoSignedDecoder(options: DecoderOptions): SessionDecoder {
  return structureDecoder(options, (bytes, limits) => structureOf(dictionary(signedPayload(bytes, limits), limits)));
}

/** A pickled dictionary, or names that Django itself sets: any other JSON may be anybody's. */
export function isTypicalOfDjango(tree: object): boolean {
  return Object.getPrototypeOf(tree) === null || OWN_NAMES.some((name) => Object.hasOwn(tree, name));
}

function dictionary(bytes: Buffer, limits: StructureLimits): object {
  // No pickle begins with a brace.
  return bytes[0] === BRACE ? jsonStructure(bytes, limits) : pickledSession(bytes, limits);
}

/** No pickle begins as zlib's header does, and no JSON. */
function unpacked(bytes: Buffer, limits: StructureLimits): Buffer {
  return bytes[0] === ZLIB ? inflated(bytes, limits) : bytes;
}

/** `payload:timestamp:signature`, the payload in base64url, after a dot where it is packed. */
function signedPayload(bytes: Buffer, limits: StructureLimits): Buffer {
  const text = bytes.toString('latin1');
  if (!/^\.?[\w-]+:[0-9A-Za-z]{1,12}:[\w-]{20,128}$/.test(text)) throw new StructureFault('malformed', 'not as Django signs');
  const packed = bytes[0] === DOT;
  const payload = Buffer.from(text.slice(packed ? 1 : 0, text.indexOf(':')), 'base64url');
  if (payload.length > limits.maxBytes) throw tooLarge(limits);
  return packed ? inflated(payload, limits) : payload;
}

/** `_session_expiry`: seconds untouched, 0 until the browser closes, or a moment. */
function structureOf(tree: object): Structure {
  const expiry: unknown = Object.hasOwn(tree, EXPIRY) ? (tree as Record<string, unknown>)[EXPIRY] : undefined;
  if (typeof expiry === 'number' && Number.isSafeInteger(expiry) && expiry > 0) return { tree, idleMs: expiry * 1000 };
  if (typeof expiry === 'string' && ISO.test(expiry)) {
    const expireTime = Date.parse(expiry);
    if (Number.isFinite(expireTime)) return { tree, expireTime, expireTimeFixed: true };
  }
  return { tree };
}
