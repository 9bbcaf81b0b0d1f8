import type { RowArray } from '@wherry/shards';
import type { SessionKey } from '../record.ts';
import type { StoredSession } from './stored-session.ts';

/** Length of a digest. Behind it in the first column come {@link NUMBERS}, 8 bytes each, and then the sealed id. */
const DIGEST_BYTES = 32;

const NUMBERS = [
  't.create_time',
  't.last_access_time',
  't.user_generation',
  't.epoch',
  't.version',
  't.touch_version',
  `coalesce(t.expire_time, ${String(-(2n ** 63n))})`,
  `coalesce(t.deleted_at, ${String(-(2n ** 63n))})`,
] as const;
const REF_AT = DIGEST_BYTES + NUMBERS.length * 8;

/**
 * Expressions over a row `t` of user_session, for {@link storedSession}. What needs no escaping is joined, in bytes: both
 * sides pay for each value of a row, and this makes six of fifteen.
 */
export const SESSION_COLUMNS: readonly string[] = [
  `t.session_id || ${NUMBERS.map((number) => `int8send(${number})`).join(' || ')} || coalesce(t.source_ref, '')`,
  't.user_id',
  't.username',
  't.role',
  't.authorities',
  't.attributes',
];

/** The digest in a row whose session columns start at `offset`. */
export function digestOf(row: RowArray, offset: number): Buffer {
  return (row[offset] as Buffer).subarray(0, DIGEST_BYTES);
}

/** True when the digest in a row is `digest`, in constant time: no step depends on a byte. Cheaper than a view for the library's comparison. */
export function hasDigest(row: RowArray, offset: number, digest: Uint8Array): boolean {
  const bytes = row[offset] as Buffer;
  let difference = digest.length ^ DIGEST_BYTES;
  for (let i = 0; i < DIGEST_BYTES; i++) difference |= (bytes[i] as number) ^ (digest[i] as number);
  return difference === 0;
}

/** The session in a row whose session columns start at `offset`. */
export function storedSession(row: RowArray, offset: number, key: SessionKey): StoredSession {
  const bytes = row[offset] as Buffer;
  const sourceRef = bytes.length > REF_AT ? bytes.subarray(REF_AT) : null;
  const version = { epoch: numberAt(bytes, 3), n: numberAt(bytes, 4) };
  const expireTime = numberAt(bytes, 6);
  const endedAt = numberAt(bytes, 7);
  const userId = row[offset + 1] as string | null;
  if (endedAt !== NULL) return { state: 'ended', tombstone: { key, endedAt, userId, version, sourceRef } };
  return {
    state: 'live',
    record: {
      key,
      userId,
      username: row[offset + 2] as string | null,
      role: row[offset + 3] as string | null,
      authorities: authoritiesOf(row[offset + 4] as string),
      createTime: numberAt(bytes, 0),
      lastAccessTime: numberAt(bytes, 1),
      expireTime: expireTime === NULL ? null : expireTime,
      userGeneration: numberAt(bytes, 2),
      attributes: (row[offset + 5] as string | null) ?? '',
      version,
      touchVersion: numberAt(bytes, 5),
      sourceRef,
    },
  };
}

/** The one 64-bit number that stands for no value: no time is that long ago. */
const NULL = -(2 ** 63);

/** Column `index` of {@link NUMBERS}. All are below 2^53 but for {@link NULL}, which a float holds exactly as well. */
function numberAt(bytes: Buffer, index: number): number {
  const at = DIGEST_BYTES + index * 8;
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

const MOST_SETS = 4096;
const sets = new Map<string, readonly string[]>();

/** Many users share few sets of authorities: each is parsed once and shared, so it is frozen. */
function authoritiesOf(text: string): readonly string[] {
  const known = sets.get(text);
  if (known !== undefined) return known;
  const parsed: readonly string[] = Object.freeze(JSON.parse(text) as string[]);
  if (sets.size >= MOST_SETS) sets.clear();
  sets.set(text, parsed);
  return parsed;
}
