import { FENCE_CODES, FencedWrite, type FenceColumn, type ShardSet, type SlotFollower, type SlotMap } from '@wherry/shards';
import type { SessionKey, SessionRecord } from '../record.ts';
import type { SessionTouch } from './stored-session.ts';

/** What the statements run on. */
export interface StatementContext {
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly follower: SlotFollower;
  /** Longest wait for a slot that is closing, ms. */
  readonly deadlineMs: number;
}

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

type ColumnOf<I> = FenceColumn & { readonly of: (item: I) => unknown };

const RECORD: readonly ColumnOf<RecordItem>[] = [
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
const BROUGHT: readonly ColumnOf<RecordItem>[] = [
  { name: 'row_epoch', type: 'bigint', of: ({ record }) => record.version.epoch },
  { name: 'version', type: 'bigint', of: ({ record }) => record.version.n },
];
const REPLACED: readonly ColumnOf<RecordItem>[] = [
  { name: 'over_user_id', type: 'text', of: ({ over }) => over?.userId ?? null },
  { name: 'over_authorities', type: 'text', of: ({ over }) => (over === undefined ? null : JSON.stringify(over.authorities)) },
];
const DIGEST = { name: 'session_id', type: 'bytea', of: ({ digest }: { readonly digest: Buffer }) => digest } as const;

const NAMES = RECORD.map(({ name }) => name).join(', ');
const INSERT = `INSERT INTO user_session AS s (slot, id, ${NAMES}, epoch, version) SELECT slot, id, ${NAMES}`;
/** A record replaces all that it carries; expiry and last access go by the newer touch, the creation by the earlier. */
const REPLACE = `user_id = excluded.user_id, username = excluded.username, role = excluded.role, authorities = excluded.authorities,
  create_time = least(s.create_time, excluded.create_time),
  last_access_time = CASE WHEN excluded.touch_version >= s.touch_version THEN excluded.last_access_time ELSE s.last_access_time END,
  expire_time = CASE WHEN excluded.touch_version >= s.touch_version THEN excluded.expire_time ELSE s.expire_time END,
  touch_version = greatest(s.touch_version, excluded.touch_version),
  user_generation = excluded.user_generation, attributes = excluded.attributes, source_ref = coalesce(excluded.source_ref, s.source_ref)`;
const SAME = 's.session_id = excluded.session_id';
const RETURNING = 'RETURNING s.slot, s.id, s.epoch, s.version';
const ROW = 'FROM user_session t WHERE t.slot = k.slot AND t.id = k.id';
const REFUSED = `WHEN t.session_id <> k.session_id THEN ${FENCE_CODES.collision} WHEN t.deleted_at IS NOT NULL THEN ${FENCE_CODES.ended}`;

/** Insert-or-newer, with the version that the record brings. */
export function putStatement(context: StatementContext): FencedWrite<RecordItem> {
  return versioned('session-put', '<', context);
}

/** Insert-or-not-older: what was read again from the primary side also replaces a row of the same version, which is at fault when it differs. */
export function restoreStatement(context: StatementContext): FencedWrite<RecordItem> {
  return versioned('session-restore', '<=', context);
}

function versioned(name: string, before: '<' | '<=', context: StatementContext): FencedWrite<RecordItem> {
  return fenced(name, [...RECORD, ...BROUGHT], context, {
    write: `${INSERT}, row_epoch, version FROM o
      ON CONFLICT (slot, id) DO UPDATE SET ${REPLACE}, epoch = excluded.epoch, version = excluded.version
      WHERE ${SAME} AND s.deleted_at IS NULL AND (s.epoch, s.version) ${before} (excluded.epoch, excluded.version) ${RETURNING}`,
    refusal: `(SELECT CASE ${REFUSED} WHEN NOT (t.epoch, t.version) ${before} (k.row_epoch, k.version) THEN ${FENCE_CODES.older} END ${ROW})`,
  });
}

/** A row of nobody may be given to anybody; any other to whom it belongs, and else only by who names him who had it. */
const KEEPS_IDENTITY = `(s.user_id IS NULL OR (s.user_id = excluded.user_id AND s.authorities = excluded.authorities)
  OR EXISTS (SELECT FROM o WHERE o.slot = s.slot AND o.id = s.id AND o.over_user_id = s.user_id AND o.over_authorities = s.authorities))`;
const LOSES_IDENTITY = `t.user_id IS NOT NULL AND (t.user_id, t.authorities) IS DISTINCT FROM (k.user_id, k.authorities)
  AND (t.user_id, t.authorities) IS DISTINCT FROM (k.over_user_id, k.over_authorities)`;

/**
 * The next version, made in the row: the number after the row's, in the epoch of the slot. `older` with a third answer
 * that is true: the row belongs to another than the record says, and was left as it is.
 */
export function saveStatement(context: StatementContext): FencedWrite<RecordItem> {
  return fenced('session-save', [...RECORD, ...REPLACED], context, {
    write: `${INSERT}, epoch, 1 FROM o
      ON CONFLICT (slot, id) DO UPDATE SET ${REPLACE}, epoch = excluded.epoch, version = s.version + 1
      WHERE ${SAME} AND s.deleted_at IS NULL AND s.epoch <= excluded.epoch AND ${KEEPS_IDENTITY} ${RETURNING}`,
    refusal: `(SELECT CASE ${REFUSED} WHEN t.epoch > k.epoch OR (${LOSES_IDENTITY}) THEN ${FENCE_CODES.older} END ${ROW})`,
    answer: ['w.epoch', 'w.version', `CASE WHEN w.id IS NULL THEN (SELECT t.epoch <= k.epoch ${ROW}) END`],
  });
}

/** A new row. `older`: this very session is there already, so an earlier try has made it. */
export function createStatement(context: StatementContext): FencedWrite<RecordItem> {
  return fenced('session-create', RECORD, context, {
    write: `${INSERT}, epoch, 1 FROM o ON CONFLICT (slot, id) DO NOTHING ${RETURNING}`,
    refusal: `(SELECT CASE ${REFUSED} ELSE ${FENCE_CODES.older} END ${ROW})`,
  });
}

/** Expiry and last access, where the touch is newer and came in the session's life. `older`: also where nothing is. */
export function touchStatement(context: StatementContext): FencedWrite<TouchItem> {
  const columns: readonly ColumnOf<TouchItem>[] = [
    DIGEST,
    { name: 'last_access_time', type: 'bigint', of: ({ touch }) => touch.lastAccessTime },
    { name: 'expire_time', type: 'bigint', of: ({ touch }) => touch.expireTime },
    { name: 'touch_version', type: 'bigint', of: ({ touch }) => touch.touchVersion },
  ];
  return fenced('session-touch', columns, context, {
    write: `UPDATE user_session s SET last_access_time = o.last_access_time, expire_time = o.expire_time, touch_version = o.touch_version
      FROM o WHERE s.slot = o.slot AND s.id = o.id AND s.session_id = o.session_id AND s.deleted_at IS NULL
        AND s.touch_version < o.touch_version AND (s.expire_time IS NULL OR s.expire_time > o.last_access_time) ${RETURNING}`,
    refusal: `coalesce((SELECT coalesce(CASE ${REFUSED} WHEN t.expire_time <= k.last_access_time THEN ${FENCE_CODES.ended}
      WHEN t.touch_version >= k.touch_version THEN ${FENCE_CODES.older} END, 0) ${ROW}), ${FENCE_CODES.older})`,
  });
}

/** A tombstone, inserted where nothing is. `ended`: one is there already. */
export function endStatement(context: StatementContext): FencedWrite<EndItem> {
  const columns: readonly ColumnOf<EndItem>[] = [DIGEST, { name: 'ended_at', type: 'bigint', of: ({ endedAt }) => endedAt }];
  return fenced('session-end', columns, context, {
    write: `INSERT INTO user_session AS s
        (slot, id, session_id, authorities, create_time, last_access_time, expire_time, user_generation, epoch, version, touch_version, deleted_at)
      SELECT slot, id, session_id, '[]', ended_at, ended_at, ended_at, 0, 0, 0, 0, ended_at FROM o
      ON CONFLICT (slot, id) DO UPDATE SET deleted_at = excluded.deleted_at, attributes = NULL
      WHERE ${SAME} AND s.deleted_at IS NULL ${RETURNING}`,
    refusal: `(SELECT CASE ${REFUSED} END ${ROW})`,
  });
}

/** The item of a record. */
export function recordItem(record: SessionRecord): RecordItem {
  return { slot: record.key.slot, id: record.key.id, record };
}

/** The item of a touch. */
export function touchItem(key: SessionKey, touch: SessionTouch): TouchItem {
  return { slot: key.slot, id: key.id, digest: key.digest, touch };
}

function fenced<I extends { readonly slot: number; readonly id: bigint }>(
  name: string,
  columns: readonly ColumnOf<I>[],
  context: StatementContext,
  sql: { readonly write: string; readonly refusal: string; readonly answer?: readonly string[] },
): FencedWrite<I> {
  const value = (item: I, column: number): unknown => columns[column]?.of(item);
  return new FencedWrite<I>({ name, columns, value, ...sql, ...context });
}
