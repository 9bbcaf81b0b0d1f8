import { FENCE_CODES, documentValue, type FenceColumn, type FencedPacketOptions, type MysqlInsert } from '@wherry/shards';
import { RECORD } from './batch-items.ts';

/*
 * The statements of `statements.ts` for MySQL and MariaDB, with the same meaning. `VALUES(x)` is what would have been
 * inserted; `s` the row that is there, `o` and `k` the batch, whose bytes are base64.
 */

type Statement = Omit<FencedPacketOptions, 'columns'>;

const TABLE = 'user_session';
const SAME = 's.session_id = VALUES(session_id) AND s.deleted_at IS NULL';
/** Another session has the digest under another id, or the id under another digest. */
const REFUSED = `WHEN t.id IS NULL AND EXISTS (SELECT 1 FROM ${TABLE} d WHERE d.slot = k.slot AND d.session_id = FROM_BASE64(k.session_id))
    THEN ${FENCE_CODES.collision}
  WHEN t.session_id <> FROM_BASE64(k.session_id) THEN ${FENCE_CODES.collision} WHEN t.deleted_at IS NOT NULL THEN ${FENCE_CODES.ended}`;

const VALUES = Object.fromEntries(RECORD.map((column: FenceColumn) => [column.name, documentValue(column, 'o')]));
const NEWER_TOUCH = 'VALUES(touch_version) >= s.touch_version';
/** A record replaces all that it carries; expiry and last access go by the newer touch, the creation by the earlier. The touch's version comes after what asks for it. */
const REPLACE = {
  user_id: 'VALUES(user_id)',
  username: 'VALUES(username)',
  role: 'VALUES(role)',
  authorities: 'VALUES(authorities)',
  create_time: 'LEAST(s.create_time, VALUES(create_time))',
  last_access_time: `IF(${NEWER_TOUCH}, VALUES(last_access_time), s.last_access_time)`,
  expire_time: `IF(${NEWER_TOUCH}, VALUES(expire_time), s.expire_time)`,
  touch_version: 'GREATEST(s.touch_version, VALUES(touch_version))',
  user_generation: 'VALUES(user_generation)',
  attributes: 'VALUES(attributes)',
  source_ref: 'COALESCE(VALUES(source_ref), s.source_ref)',
};

/** Of put (`<`) and restore (`<=`). */
export function mysqlVersioned(before: '<' | '<='): Statement {
  return {
    write: insert(
      { ...VALUES, epoch: 'o.row_epoch', version: 'o.version' },
      {
        when: `${SAME} AND (s.epoch, s.version) ${before} (VALUES(epoch), VALUES(version))`,
        set: { ...REPLACE, epoch: 'VALUES(epoch)', version: 'VALUES(version)' },
      },
    ),
    refusal: `CASE ${REFUSED} WHEN NOT (t.epoch, t.version) ${before} (k.row_epoch, k.version) THEN ${FENCE_CODES.older} END`,
  };
}

const KEEPS_IDENTITY = `(s.user_id IS NULL OR (s.user_id = VALUES(user_id) AND s.authorities = VALUES(authorities))
  OR (s.user_id = o.over_user_id AND s.authorities = o.over_authorities))`;
const LOSES_IDENTITY = `t.user_id IS NOT NULL AND NOT (t.user_id <=> k.user_id AND t.authorities <=> k.authorities)
  AND NOT (t.user_id <=> k.over_user_id AND t.authorities <=> k.over_authorities)`;

/** Of save. */
export function mysqlSave(): Statement {
  return {
    write: insert(
      { ...VALUES, epoch: 'o.epoch', version: '1' },
      {
        when: `${SAME} AND s.epoch <= VALUES(epoch) AND ${KEEPS_IDENTITY}`,
        set: { ...REPLACE, epoch: 'VALUES(epoch)', version: 's.version + 1' },
      },
    ),
    refusal: `CASE ${REFUSED} WHEN t.epoch > k.epoch OR (${LOSES_IDENTITY}) THEN ${FENCE_CODES.older} END`,
    answer: ['t.epoch', 't.version', 't.epoch <= k.epoch'],
  };
}

/** Of create. */
export function mysqlCreate(): Statement {
  return {
    write: insert({ ...VALUES, epoch: 'o.epoch', version: '1' }),
    refusal: `CASE ${REFUSED} WHEN t.id IS NOT NULL THEN ${FENCE_CODES.older} END`,
  };
}

/** Of touch. */
export function mysqlTouch(): Statement {
  return {
    write: {
      kind: 'update',
      table: TABLE,
      set: { last_access_time: 'o.last_access_time', expire_time: 'o.expire_time', touch_version: 'o.touch_version' },
      when: `s.session_id = FROM_BASE64(o.session_id) AND s.deleted_at IS NULL AND s.touch_version < o.touch_version
        AND (s.expire_time IS NULL OR s.expire_time > o.last_access_time)`,
    },
    refusal: `CASE WHEN t.id IS NULL THEN ${FENCE_CODES.older} ${REFUSED} WHEN t.expire_time <= k.last_access_time THEN ${FENCE_CODES.ended}
      WHEN t.touch_version >= k.touch_version THEN ${FENCE_CODES.older} END`,
  };
}

/** Of end. */
export function mysqlEnd(): Statement {
  return {
    write: insert(
      {
        session_id: 'FROM_BASE64(o.session_id)',
        authorities: "'[]'",
        create_time: 'o.ended_at',
        last_access_time: 'o.ended_at',
        expire_time: 'o.ended_at',
        user_generation: '0',
        epoch: '0',
        version: '0',
        touch_version: '0',
        deleted_at: 'o.ended_at',
      },
      { when: SAME, set: { deleted_at: 'VALUES(deleted_at)', attributes: 'NULL' } },
    ),
    refusal: `CASE ${REFUSED} END`,
  };
}

function insert(values: MysqlInsert['values'], replace?: MysqlInsert['replace']): MysqlInsert {
  return { kind: 'insert', table: TABLE, values, ...(replace === undefined ? {} : { replace }) };
}
