import type { BinaryRow, ByDialect } from '@wherry/shards';
import type { Family, FamilyEndReason, FamilyMode, FamilyRow, PreviousCredential } from './family.ts';
import { MYSQL_NOW } from './mysql-statements.ts';

const DIGEST_BYTES = 32;
/** Stands for no value: no time is that long ago. A float holds it exactly. */
const NULL = -(2 ** 63);

const NUMBERS = [
  'session_id',
  'version',
  'user_generation',
  'renewals',
  'create_time',
  'idle_ms',
  'idle_expiry',
  'absolute_expiry',
  'ended_at',
  'rotated_at',
  'successor_at',
] as const;
/** Of them, those that may be missing. */
const NULLABLE: ReadonlySet<string> = new Set(['absolute_expiry', 'ended_at', 'rotated_at', 'successor_at']);
/** Behind them comes the shard's clock. */
const CLOCK_AT = NUMBERS.length;
const FAMILY_DIGEST_AT = (CLOCK_AT + 1) * 8;
const CURRENT_AT = FAMILY_DIGEST_AT + DIGEST_BYTES;
const PREVIOUS_AT = CURRENT_AT + DIGEST_BYTES;

const POSTGRES_NUMBERS = NUMBERS.map(
  (name) => `int8send(${NULLABLE.has(name) ? `coalesce(t.${name}, ${String(-(2n ** 63n))})` : `t.${name}`})`,
);
const hex = (number: string): string => `LPAD(HEX(${number}), 16, '0')`;
const MYSQL_NUMBERS = NUMBERS.map((name) => (NULLABLE.has(name) ? `COALESCE(${hex(`t.${name}`)}, '8000000000000000')` : hex(`t.${name}`)));
const TEXTS = ['t.user_id', 't.client_id', 't.mode', 't.bound_to', 't.end_reason'];

/** Expressions over a row `t` of token_family, for {@link familyRow}. Joined in bytes: both sides pay for each value of a row. */
export const FAMILY_COLUMNS: ByDialect<readonly string[]> = {
  postgres: [
    `${POSTGRES_NUMBERS.join(' || ')} || int8send(wherry_now()) || t.family_digest || t.current_digest
    || coalesce(t.previous_digest || t.sealed_successor, '')`,
    ...TEXTS,
  ],
  mysql: [
    `CONCAT(UNHEX(CONCAT(${[...MYSQL_NUMBERS, hex(MYSQL_NOW)].join(', ')})), t.family_digest, t.current_digest,
    COALESCE(CONCAT(t.previous_digest, t.sealed_successor), ''))`,
    ...TEXTS,
  ],
};

/** The family in a row of {@link FAMILY_COLUMNS}. */
export function familyRow(row: BinaryRow, key: Pick<Family, 'slot' | 'id'>): FamilyRow {
  // Copied: the row is a view of what came over the connection.
  const bytes = Buffer.from(row.bytes());
  const userId = row.text();
  const clientId = row.text();
  const mode = row.text() as FamilyMode;
  const boundTo = row.textOrNull();
  const endReason = row.textOrNull();
  const absoluteExpiry = numberAt(bytes, 7);
  const endedAt = numberAt(bytes, 8);
  const rotatedAt = numberAt(bytes, 9);
  const previous: PreviousCredential = {
    digest: bytes.subarray(PREVIOUS_AT, PREVIOUS_AT + DIGEST_BYTES),
    rotatedAt,
    sealedSuccessor: bytes.subarray(PREVIOUS_AT + DIGEST_BYTES),
    successorAt: numberAt(bytes, 10),
  };
  return {
    family: {
      slot: key.slot,
      id: key.id,
      sessionId: bytes.readBigInt64BE(0),
      userId,
      clientId,
      mode,
      boundTo,
      generation: numberAt(bytes, 2),
      renewals: numberAt(bytes, 3),
      createTime: numberAt(bytes, 4),
      idleExpiry: numberAt(bytes, 6),
      absoluteExpiry: absoluteExpiry === NULL ? null : absoluteExpiry,
    },
    version: bytes.readBigInt64BE(8),
    familyDigest: bytes.subarray(FAMILY_DIGEST_AT, CURRENT_AT),
    current: bytes.subarray(CURRENT_AT, PREVIOUS_AT),
    previous: rotatedAt === NULL ? null : previous,
    idleMs: numberAt(bytes, 5),
    ended: endedAt === NULL ? null : { at: endedAt, reason: endReason as FamilyEndReason },
    readAt: numberAt(bytes, CLOCK_AT),
  };
}

/** Number `index` of {@link NUMBERS}. All that are read so are below 2^53 but for {@link NULL}. */
function numberAt(bytes: Buffer, index: number): number {
  const at = index * 8;
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
