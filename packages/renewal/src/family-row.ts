import type { RowArray } from '@wherry/shards';
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

/** The family in a row whose columns start at `offset`. */
export function familyRow(row: RowArray, offset: number, key: Pick<Family, 'slot' | 'id'>): FamilyRow {
  const bytes = row[offset] as Buffer;
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
      userId: row[offset + 1] as string,
      clientId: row[offset + 2] as string,
      mode: row[offset + 3] as FamilyMode,
      boundTo: row[offset + 4] as string | null,
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
    ended: endedAt === NULL ? null : { at: endedAt, reason: row[offset + 5] as FamilyEndReason },
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
