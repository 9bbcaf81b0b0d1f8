import { FENCE_CODES, FencedWrite, type FencedWriteOptions, type ShardSet, type SlotFollower, type SlotMap } from '@wherry/shards';
import { BROUGHT, END, RECORD, REPLACED, TOUCH, type ColumnOf, type EndItem, type RecordItem, type TouchItem } from './batch-items.ts';
import { mysqlCreate, mysqlEnd, mysqlSave, mysqlTouch, mysqlVersioned } from './mysql-statements.ts';

/** What the statements run on. */
export interface StatementContext {
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly follower: SlotFollower;
  /** Longest wait for a slot that is closing, ms. */
  readonly deadlineMs: number;
}

/** Rows of a copy in a statement: at half as many a row costs a tenth more, at more of them no less. */
const ROWS_AT_ONCE = 1000;

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
    maxRowsAtOnce: ROWS_AT_ONCE,
    write: `${INSERT}, row_epoch, version FROM o
      ON CONFLICT (slot, id) DO UPDATE SET ${REPLACE}, epoch = excluded.epoch, version = excluded.version
      WHERE ${SAME} AND s.deleted_at IS NULL AND (s.epoch, s.version) ${before} (excluded.epoch, excluded.version) ${RETURNING}`,
    refusal: `(SELECT CASE ${REFUSED} WHEN NOT (t.epoch, t.version) ${before} (k.row_epoch, k.version) THEN ${FENCE_CODES.older} END ${ROW})`,
    mysql: mysqlVersioned(before),
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
    mysql: mysqlSave(),
  });
}

/** A new row. `older`: this very session is there already, so an earlier try has made it. */
export function createStatement(context: StatementContext): FencedWrite<RecordItem> {
  return fenced('session-create', RECORD, context, {
    write: `${INSERT}, epoch, 1 FROM o ON CONFLICT (slot, id) DO NOTHING ${RETURNING}`,
    refusal: `(SELECT CASE ${REFUSED} ELSE ${FENCE_CODES.older} END ${ROW})`,
    mysql: mysqlCreate(),
  });
}

/** Expiry and last access, where the touch is newer and came in the session's life. `older`: also where nothing is. */
export function touchStatement(context: StatementContext): FencedWrite<TouchItem> {
  return fenced('session-touch', TOUCH, context, {
    write: `UPDATE user_session s SET last_access_time = o.last_access_time, expire_time = o.expire_time, touch_version = o.touch_version
      FROM o WHERE s.slot = o.slot AND s.id = o.id AND s.session_id = o.session_id AND s.deleted_at IS NULL
        AND s.touch_version < o.touch_version AND (s.expire_time IS NULL OR s.expire_time > o.last_access_time) ${RETURNING}`,
    refusal: `coalesce((SELECT coalesce(CASE ${REFUSED} WHEN t.expire_time <= k.last_access_time THEN ${FENCE_CODES.ended}
      WHEN t.touch_version >= k.touch_version THEN ${FENCE_CODES.older} END, 0) ${ROW}), ${FENCE_CODES.older})`,
    mysql: mysqlTouch(),
  });
}

/** A tombstone, inserted where nothing is. `ended`: one is there already. */
export function endStatement(context: StatementContext): FencedWrite<EndItem> {
  return fenced('session-end', END, context, {
    write: `INSERT INTO user_session AS s
        (slot, id, session_id, authorities, create_time, last_access_time, expire_time, user_generation, epoch, version, touch_version, deleted_at)
      SELECT slot, id, session_id, '[]', ended_at, ended_at, ended_at, 0, 0, 0, 0, ended_at FROM o
      ON CONFLICT (slot, id) DO UPDATE SET deleted_at = excluded.deleted_at, attributes = NULL
      WHERE ${SAME} AND s.deleted_at IS NULL ${RETURNING}`,
    refusal: `(SELECT CASE ${REFUSED} END ${ROW})`,
    mysql: mysqlEnd(),
  });
}

function fenced<I extends { readonly slot: number; readonly id: bigint }>(
  name: string,
  columns: readonly ColumnOf<I>[],
  context: StatementContext,
  sql: Pick<FencedWriteOptions<I>, 'write' | 'refusal' | 'answer' | 'mysql' | 'maxRowsAtOnce'>,
): FencedWrite<I> {
  const value = (item: I, column: number): unknown => columns[column]?.of(item);
  return new FencedWrite<I>({ name, columns, value, ...sql, ...context });
}
