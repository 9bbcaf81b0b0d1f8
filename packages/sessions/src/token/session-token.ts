import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { slotOf } from '@wherry/shards';
import type { SessionKey } from '../record.ts';

/** What every session token starts with. */
export const SESSION_TOKEN_PREFIX = 'st_';

const ID_BYTES = 8;
const SECRET_BYTES = 24;
const CHECKED_BYTES = ID_BYTES + SECRET_BYTES;
const MAX_ID = 0x7fff_ffff_ffff_ffffn;
/** 36 bytes are 48 characters without a remainder, so each token has exactly one spelling (RFC 4648 section 3.5). */
const FORM = /^st_[A-Za-z0-9_-]{48}$/;

/** A new session token and the key of the row that it opens. */
export interface MintedSessionToken {
  /** The bearer secret: given to the client once, kept nowhere. */
  readonly token: string;
  readonly key: SessionKey;
}

/**
 * Makes the session token of a new session under primary key `id` (63-bit, positive): `st_` + base64url(id 8 bytes
 * big-endian, secret 24 bytes, CRC-32 of both 4 bytes). Only the digest of the secret is ever stored.
 */
export function mintSessionToken(id: bigint, secret: Uint8Array = randomBytes(SECRET_BYTES)): MintedSessionToken {
  if (id <= 0n || id > MAX_ID) throw new RangeError('the id of a session is a positive 63-bit number');
  if (secret.length !== SECRET_BYTES) throw new RangeError(`the secret of a session token has ${SECRET_BYTES} bytes`);
  const bytes = Buffer.alloc(CHECKED_BYTES + 4);
  bytes.writeBigUInt64BE(id, 0);
  bytes.set(secret, ID_BYTES);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
  return { token: SESSION_TOKEN_PREFIX + bytes.toString('base64url'), key: keyOf(id, secret) };
}

/**
 * The key that a session token names, or undefined where the text is no session token: wrong length or alphabet, wrong
 * checksum, an id out of range. It proves nothing yet: the row's digest has to be the same, compared in constant time.
 */
export function parseSessionToken(text: string): SessionKey | undefined {
  if (!FORM.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(SESSION_TOKEN_PREFIX.length), 'base64url');
  if (bytes.readUInt32BE(CHECKED_BYTES) !== crc32(bytes.subarray(0, CHECKED_BYTES))) return undefined;
  const id = bytes.readBigUInt64BE(0);
  if (id === 0n || id > MAX_ID) return undefined;
  return keyOf(id, bytes.subarray(ID_BYTES, CHECKED_BYTES));
}

function keyOf(id: bigint, secret: Uint8Array): SessionKey {
  return { slot: slotOf(id), id, digest: createHash('sha256').update(secret).digest() };
}
