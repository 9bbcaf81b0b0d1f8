import type { BinaryRow } from '@wherry/shards';
import type { Family, FamilyEndReason, FamilyMode, FamilyRow, PreviousCredential } from './family.ts';

const DIGEST_BYTES = 32;
/** Stands for no value: no time is that long ago. A float holds it exactly. */
const NULL = -(2 ** 63);

const NUMBERS = [
  't.session_id',
  't.version',
  't.user_generation',
  't.renewals',
  't.create_time',
  't.idle_ms',
  't.idle_expiry',
  orNull('t.absolute_expiry'),
  orNull('t.ended_at'),
  orNull('t.rotated_at'),
  orNull('t.successor_at'),
  'wherry_now()',
] as const;
const FAMILY_DIGEST_AT = NUMBERS.length * 8;
const CURRENT_AT = FAMILY_DIGEST_AT + DIGEST_BYTES;
const PREVIOUS_AT = CURRENT_AT + DIGEST_BYTES;

/** Expressions over a row `t` of token_family, for {@link familyRow}. Joined in bytes: both sides pay for each value of a row. */
export const FAMILY_COLUMNS: readonly string[] = [
  `${NUMBERS.map((number) => `int8send(${number})`).join(' || ')} || t.family_digest || t.current_digest
    || coalesce(t.previous_digest || t.sealed_successor, '')`,
  't.user_id',
  't.client_id',
  't.mode',
  't.bound_to',
  't.end_reason',
];

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
    readAt: numberAt(bytes, 11),
  };
}

/** Number `index` of {@link NUMBERS}. All that are read so are below 2^53 but for {@link NULL}. */
function numberAt(bytes: Buffer, index: number): number {
  const at = index * 8;
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

function orNull(column: string): string {
  return `coalesce(${column}, ${String(-(2n ** 63n))})`;
}
