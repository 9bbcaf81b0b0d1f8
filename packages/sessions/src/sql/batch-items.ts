import type { FenceColumn } from '@wherry/shards';
import type { SessionKey, SessionRecord } from '../record.ts';
import type { SessionTouch } from './stored-session.ts';

/** A record to write, with its key in reach of the batch. */
export interface RecordItem {
  readonly slot: number;
  readonly id: bigint;
  readonly record: SessionRecord;
  /** Of a save: whose session may be replaced. */
  readonly over?: ReplacedIdentity;
}

/** Whom a row belongs to, as it was read: it may be given to another while that is still so. */
export interface ReplacedIdentity {
  readonly userId: string | null;
  readonly authorities: readonly string[];
}

/** A touch to write. */
export interface TouchItem {
  readonly slot: number;
  readonly id: bigint;
  readonly digest: Buffer;
  readonly touch: SessionTouch;
}

/** A session to end. */
export interface EndItem {
  readonly slot: number;
  readonly id: bigint;
  readonly digest: Buffer;
  readonly endedAt: number;
}

/** The item of a record. */
export function recordItem(record: SessionRecord): RecordItem {
  return { slot: record.key.slot, id: record.key.id, record };
}

/** The item of a touch. */
export function touchItem(key: SessionKey, touch: SessionTouch): TouchItem {
  return { slot: key.slot, id: key.id, digest: key.digest, touch };
}

/** A column of a batch with its value for an item. */
export type ColumnOf<I> = FenceColumn & { readonly of: (item: I) => unknown };

/** What a record has beside its key and its version. */
export const RECORD: readonly ColumnOf<RecordItem>[] = [
  { name: 'session_id', type: 'bytea', of: ({ record }) => record.key.digest },
  { name: 'user_id', type: 'text', of: ({ record }) => record.userId },
  { name: 'username', type: 'text', of: ({ record }) => record.username },
  { name: 'role', type: 'text', of: ({ record }) => record.role },
  { name: 'authorities', type: 'text', of: ({ record }) => JSON.stringify(record.authorities) },
  { name: 'create_time', type: 'bigint', of: ({ record }) => record.createTime },
  { name: 'last_access_time', type: 'bigint', of: ({ record }) => record.lastAccessTime },
  { name: 'expire_time', type: 'bigint', of: ({ record }) => record.expireTime },
  { name: 'user_generation', type: 'bigint', of: ({ record }) => record.userGeneration },
  { name: 'attributes', type: 'text', of: ({ record }) => record.attributes },
  { name: 'touch_version', type: 'bigint', of: ({ record }) => record.touchVersion },
  { name: 'source_ref', type: 'bytea', of: ({ record }) => record.sourceRef },
];
/** The version that a record brings with it; `epoch` is the name of the epoch that the fence checks. */
export const BROUGHT: readonly ColumnOf<RecordItem>[] = [
  { name: 'row_epoch', type: 'bigint', of: ({ record }) => record.version.epoch },
  { name: 'version', type: 'bigint', of: ({ record }) => record.version.n },
];
/** Of a save: whom the row may be taken from. */
export const REPLACED: readonly ColumnOf<RecordItem>[] = [
  { name: 'over_user_id', type: 'text', of: ({ over }) => over?.userId ?? null },
  { name: 'over_authorities', type: 'text', of: ({ over }) => (over === undefined ? null : JSON.stringify(over.authorities)) },
];
const DIGEST = { name: 'session_id', type: 'bytea', of: ({ digest }: { readonly digest: Buffer }) => digest } as const;

/** What a touch has. */
export const TOUCH: readonly ColumnOf<TouchItem>[] = [
  DIGEST,
  { name: 'last_access_time', type: 'bigint', of: ({ touch }) => touch.lastAccessTime },
  { name: 'expire_time', type: 'bigint', of: ({ touch }) => touch.expireTime },
  { name: 'touch_version', type: 'bigint', of: ({ touch }) => touch.touchVersion },
];

/** What an end has. */
export const END: readonly ColumnOf<EndItem>[] = [DIGEST, { name: 'ended_at', type: 'bigint', of: ({ endedAt }) => endedAt }];
