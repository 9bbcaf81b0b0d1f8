import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { slotOf } from '@wherry/shards';
import type { FamilyMode } from './family.ts';

/** What every renewal credential starts with. */
export const RENEWAL_PREFIX = 'rt_';
/** What the `jti` starts with of an access token that may be renewed without another credential. */
export const BEARER_PREFIX = 'rj_';

const FAMILY_SECRET_AT = 16;
const SECRET_AT = 32;
const CHECKED_BYTES = 56;
const SECRET_BYTES = CHECKED_BYTES - SECRET_AT;
const MAX_ID = 0x7fff_ffff_ffff_ffffn;
/** 60 bytes are 80 characters without a remainder, so each credential has exactly one spelling (RFC 4648 section 3.5). */
const FORM = /^r[tj]_[A-Za-z0-9_-]{80}$/;

/** A renewal credential, taken apart. Holds secrets: never logged. */
export interface RenewalCredential {
  readonly mode: FamilyMode;
  readonly slot: number;
  readonly sessionId: bigint;
  readonly familyId: bigint;
  /** Shared by all credentials of the family, 16 bytes: it proves that the bearer has had one of them. */
  readonly familySecret: Buffer;
  /** Of this one alone, 24 bytes. */
  readonly secret: Buffer;
}

/** Which session and family a credential names. It proves nothing yet. */
export interface RenewalSelector {
  readonly mode: FamilyMode;
  readonly slot: number;
  readonly sessionId: bigint;
  readonly familyId: bigint;
}

/** The first credential of a new family. */
export function newCredential(mode: FamilyMode, sessionId: bigint, familyId: bigint = newFamilyId()): RenewalCredential {
  if (sessionId <= 0n || sessionId > MAX_ID) throw new RangeError('the id of a session is a positive 63-bit number');
  return {
    mode,
    slot: slotOf(sessionId),
    sessionId,
    familyId,
    familySecret: randomBytes(SECRET_AT - FAMILY_SECRET_AT),
    secret: randomBytes(SECRET_BYTES),
  };
}

/** An id that no family has: 63 random bits. */
export function newFamilyId(): bigint {
  return (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;
}

/** Another credential of the same family. */
export function siblingCredential(of: RenewalCredential, secret: Buffer = randomBytes(SECRET_BYTES)): RenewalCredential {
  return { ...of, secret };
}

/**
 * The text of a credential: prefix + base64url(session id 8 bytes big-endian, family id 8, family secret 16, secret 24, CRC-32 of
 * all that 4). The ids find the row, the secrets are compared by digest, the checksum turns typing errors away early.
 */
export function credentialText({ mode, sessionId, familyId, familySecret, secret }: RenewalCredential): string {
  const bytes = Buffer.alloc(CHECKED_BYTES + 4);
  bytes.writeBigUInt64BE(sessionId, 0);
  bytes.writeBigUInt64BE(familyId, 8);
  bytes.set(familySecret, FAMILY_SECRET_AT);
  bytes.set(secret, SECRET_AT);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
  return (mode === 'credential' ? RENEWAL_PREFIX : BEARER_PREFIX) + bytes.toString('base64url');
}

/** Takes a credential apart; undefined for any text that {@link credentialText} does not make. */
export function readCredential(text: string): RenewalCredential | undefined {
  if (!FORM.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(RENEWAL_PREFIX.length), 'base64url');
  if (bytes.readUInt32BE(CHECKED_BYTES) !== crc32(bytes.subarray(0, CHECKED_BYTES))) return undefined;
  const sessionId = bytes.readBigUInt64BE(0);
  const familyId = bytes.readBigUInt64BE(8);
  if (sessionId === 0n || sessionId > MAX_ID || familyId === 0n || familyId > MAX_ID) return undefined;
  return {
    mode: text.startsWith(RENEWAL_PREFIX) ? 'credential' : 'bearer',
    slot: slotOf(sessionId),
    sessionId,
    familyId,
    familySecret: bytes.subarray(FAMILY_SECRET_AT, SECRET_AT),
    secret: bytes.subarray(SECRET_AT, CHECKED_BYTES),
  };
}

/**
 * Which session and family a renewal credential (or such a `jti`) names, so that its session can be read; undefined where
 * the text is none: wrong prefix, length, alphabet or checksum, an id out of range.
 */
export function parseRenewalCredential(text: string): RenewalSelector | undefined {
  const credential = readCredential(text);
  if (credential === undefined) return undefined;
  const { mode, slot, sessionId, familyId } = credential;
  return { mode, slot, sessionId, familyId };
}

/** What the row keeps of a secret. */
export function digestOf(secret: Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest();
}
