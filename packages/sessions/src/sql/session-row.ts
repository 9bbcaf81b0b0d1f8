import type { BinaryRow, ByDialect } from '@wherry/shards';
import type { SessionKey } from '../record.ts';
import type { StoredSession } from './stored-session.ts';

/** A key to look up, with its digest or, for ids that we have signed, without. */
export type LookUp = SessionKey | (Omit<SessionKey, 'digest'> & { readonly digest?: undefined });

/** Length of a digest. Behind it in the first column come {@link NUMBERS}, 8 bytes each, and then the sealed id. */
const DIGEST_BYTES = 32;

const NUMBERS = [
  'create_time',
  'last_access_time',
  'user_generation',
  'epoch',
  'version',
  'touch_version',
  'expire_time',
  'deleted_at',
] as const;
/** Of them, those that may be missing. */
const NULLABLE: ReadonlySet<string> = new Set(['expire_time', 'deleted_at']);
const REF_AT = DIGEST_BYTES + NUMBERS.length * 8;

const TEXTS = ['t.user_id', 't.username', 't.role', 't.authorities', 't.attributes'];

const POSTGRES_NUMBERS = NUMBERS.map(
  (name) => `int8send(${NULLABLE.has(name) ? `coalesce(t.${name}, ${String(-(2n ** 63n))})` : `t.${name}`})`,
);
const MYSQL_NUMBERS = NUMBERS.map((name) => {
  const hex = `LPAD(HEX(t.${name}), 16, '0')`;
  return NULLABLE.has(name) ? `COALESCE(${hex}, '8000000000000000')` : hex;
});

/**
 * Expressions over a row `t` of user_session, for {@link storedSession}. What needs no escaping is joined, in bytes: both
 * sides pay for each value of a row, and this makes six of fifteen.
 */
export const SESSION_COLUMNS: ByDialect<readonly string[]> = {
  postgres: [`t.session_id || ${POSTGRES_NUMBERS.join(' || ')} || coalesce(t.source_ref, '')`, ...TEXTS],
  mysql: [`CONCAT(t.session_id, UNHEX(CONCAT(${MYSQL_NUMBERS.join(', ')})), COALESCE(t.source_ref, ''))`, ...TEXTS],
};

/**
 * The session in a row of {@link SESSION_COLUMNS}; undefined where its digest is not that of `key`, which is compared in
 * constant time: no step depends on a byte. A key without a digest, from a token that we signed, gets the row's.
 */
export function storedSession(row: BinaryRow, key: LookUp): StoredSession | undefined {
  row.pass();
  const { buffer, from, to } = row;
  if (key.digest !== undefined && !isDigestAt(buffer, from, key.digest)) return undefined;
  // Copied: what is kept must not hold on to all that came over the connection with it.
  const found: SessionKey =
    key.digest === undefined ? { slot: key.slot, id: key.id, digest: copyOf(buffer, from, from + DIGEST_BYTES) } : key;
  const sourceRef = to - from > REF_AT ? copyOf(buffer, from + REF_AT, to) : null;
  const version = { epoch: numberAt(buffer, from, 3), n: numberAt(buffer, from, 4) };
  const expireTime = numberAt(buffer, from, 6);
  const endedAt = numberAt(buffer, from, 7);
  const userId = row.textOrNull();
  if (endedAt !== NULL) return { state: 'ended', tombstone: { key: found, endedAt, userId, version, sourceRef } };
  return {
    state: 'live',
    record: {
      key: found,
      userId,
      username: row.textOrNull(),
      role: row.textOrNull(),
      authorities: authoritiesOf(row.text()),
      attributes: row.textOrNull() ?? '',
      createTime: numberAt(buffer, from, 0),
      lastAccessTime: numberAt(buffer, from, 1),
      expireTime: expireTime === NULL ? null : expireTime,
      userGeneration: numberAt(buffer, from, 2),
      version,
      touchVersion: numberAt(buffer, from, 5),
      sourceRef,
    },
  };
}

function isDigestAt(bytes: Buffer, from: number, digest: Uint8Array): boolean {
  let difference = digest.length ^ DIGEST_BYTES;
  for (let i = 0; i < DIGEST_BYTES; i++) difference |= (bytes[from + i] as number) ^ (digest[i] as number);
  return difference === 0;
}

function copyOf(bytes: Buffer, from: number, to: number): Buffer {
  return Buffer.from(bytes.subarray(from, to));
}

/** The one 64-bit number that stands for no value: no time is that long ago. */
const NULL = -(2 ** 63);

/** Column `index` of {@link NUMBERS}. All are below 2^53 but for {@link NULL}, which a float holds exactly as well. */
function numberAt(bytes: Buffer, from: number, index: number): number {
  const at = from + DIGEST_BYTES + index * 8;
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
