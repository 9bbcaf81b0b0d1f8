import { FENCE_CODES, documentValue, type FenceColumn, type FencedPacketOptions } from '@wherry/shards';

/*
 * The statements of `statements.ts` for MySQL and MariaDB, with the same meaning: `s` is the row that is there, `o` and
 * `k` are the batch, whose bytes are base64.
 *
 * Each is judged on the row as it is when it is locked, as there: an UPDATE reads the rows that it may change by a
 * locking read, which sees what was committed last and waits for whoever is changing it, and the row stays locked to the
 * commit (`fencedPacket`). Only the number of a session's living families is taken from the snapshot, as there. LEAST and
 * GREATEST answer NULL where one of theirs is, so nothing is compared with what may be missing.
 */

type Statement = Omit<FencedPacketOptions, 'columns'>;

const TABLE = 'token_family';
/** How the families of a session are found. */
export const BY_SESSION = { column: 'session_id', index: 'token_family_session' } as const;

/** Epoch milliseconds of the shard, as they were when the statement began: the same wherever one statement asks. */
export const MYSQL_NOW = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000";
const NOW = `COALESCE(o.now, ${MYSQL_NOW})`;

/** When a row's nearer cap is reached. */
function capOf(row: string): string {
  return `LEAST(${row}.idle_expiry, COALESCE(${row}.absolute_expiry, ${row}.idle_expiry))`;
}

/** A row past its end or its caps at that moment. */
export function mysqlDeadBefore(row: string, moment: string): string {
  return `COALESCE(${row}.ended_at, ${capOf(row)}) < ${moment}`;
}

/** The living families `t` of the session `id`. */
function aliveIn(id: string): string {
  return `FROM ${TABLE} t FORCE INDEX (${BY_SESSION.index}) WHERE t.slot = o.slot AND t.session_id = ${id} AND t.ended_at IS NULL AND ${capOf('t')} > ${NOW}`;
}

/** Of begin; `stored` are its columns that the row keeps. */
export function mysqlBegin(stored: readonly FenceColumn[]): Statement {
  return {
    write: {
      kind: 'insert',
      table: TABLE,
      values: {
        ...Object.fromEntries(stored.map((column) => [column.name, documentValue(column, 'o')])),
        renewals: '0',
        create_time: NOW,
        idle_expiry: `${NOW} + o.idle_ms`,
      },
      where: `(SELECT COUNT(*) ${aliveIn('o.session_id')}) < o.most`,
    },
    refusal: `CASE WHEN t.id IS NULL THEN ${FENCE_CODES.ended}
      WHEN t.family_digest = FROM_BASE64(k.family_digest) THEN ${FENCE_CODES.older} ELSE ${FENCE_CODES.collision} END`,
  };
}

/** Of rotate. A message sent again, whose answer was lost, answers the row as it left it, as long as nobody has changed it since. */
export function mysqlRotate(answered: readonly string[]): Statement {
  return {
    write: {
      kind: 'update',
      table: TABLE,
      set: {
        version: 'o.version',
        current_digest: 'FROM_BASE64(o.successor)',
        previous_digest: 'FROM_BASE64(o.presented)',
        rotated_at: NOW,
        sealed_successor: 'FROM_BASE64(o.sealed_successor)',
        successor_at: NOW,
        renewals: 's.renewals + 1',
        idle_expiry: `${NOW} + s.idle_ms`,
        proved_at: `LEAST(COALESCE(s.proved_at, ${NOW}), ${NOW})`,
      },
      when: `s.session_id = o.session_id AND s.family_digest = FROM_BASE64(o.family_digest) AND s.mode = 'credential'
        AND s.current_digest = FROM_BASE64(o.presented) AND s.ended_at IS NULL AND ${capOf('s')} > ${NOW}
        AND s.user_generation >= o.minimum_generation AND COALESCE(s.client_id = o.client_id, TRUE)
        AND (s.bound_to IS NULL OR s.bound_to = o.bound_to)`,
    },
    refusal: String(FENCE_CODES.older),
    answer: answered.map((name) => `t.${name}`),
  };
}

/** Of step; `changed` are its columns that the row takes as they are. */
export function mysqlStep(changed: readonly FenceColumn[]): Statement {
  return {
    write: {
      kind: 'update',
      table: TABLE,
      set: {
        ...Object.fromEntries(changed.map((column) => [column.name, documentValue(column, 'o')])),
        proved_at: 'LEAST(COALESCE(s.proved_at, o.proved_at), o.proved_at)',
      },
      when: 's.version = o.expected AND s.ended_at IS NULL',
    },
    refusal: `CASE WHEN t.id IS NULL THEN ${FENCE_CODES.collision} WHEN t.version = k.version THEN ${FENCE_CODES.older}
      WHEN t.version <> k.expected OR t.ended_at IS NOT NULL THEN ${FENCE_CODES.ended} END`,
  };
}

/** Of end. */
export function mysqlEnd(): Statement {
  return {
    write: { kind: 'update', table: TABLE, ...ENDED },
    refusal: `CASE WHEN t.id IS NULL OR t.ended_at IS NOT NULL THEN ${FENCE_CODES.older} END`,
  };
}

/** Of the end of a session. Families that are being begun are waited for, and end too. */
export function mysqlEndSession(): Statement {
  return { write: { kind: 'update', table: TABLE, by: BY_SESSION, ...ENDED }, refusal: String(FENCE_CODES.older) };
}

const ENDED = { set: { ended_at: NOW, end_reason: 'o.reason' }, when: 's.ended_at IS NULL' };

/** Of making room. */
export function mysqlMakeRoom(): Statement {
  return {
    write: {
      kind: 'update',
      table: TABLE,
      by: BY_SESSION,
      also: {
        living: `(SELECT COUNT(*) ${aliveIn('o.id')})`,
        idlest: `(SELECT t.id ${aliveIn('o.id')} ORDER BY t.idle_expiry - t.idle_ms, t.id LIMIT 1)`,
      },
      set: { ended_at: NOW, end_reason: "'replaced'" },
      when: 's.ended_at IS NULL AND o.living >= o.most AND s.id = o.idlest',
    },
    refusal: String(FENCE_CODES.older),
  };
}

/** Of evidence. */
export function mysqlEvidence(): Statement {
  return {
    write: {
      kind: 'update',
      table: TABLE,
      by: BY_SESSION,
      set: {
        proved_at: 'LEAST(COALESCE(s.proved_at, o.proved_at), COALESCE(o.proved_at, s.proved_at))',
        session_token_used_at: 'GREATEST(COALESCE(s.session_token_used_at, o.used_at), COALESCE(o.used_at, s.session_token_used_at))',
      },
      when: `s.client_id = o.client_id
        AND (o.proved_at < COALESCE(s.proved_at, o.proved_at + 1) OR o.used_at > COALESCE(s.session_token_used_at, o.used_at - 1))`,
    },
    refusal: String(FENCE_CODES.older),
  };
}

/** Of delete. */
export function mysqlDelete(): Statement {
  return {
    write: { kind: 'delete', table: TABLE, when: mysqlDeadBefore('s', 'o.dead_before') },
    refusal: String(FENCE_CODES.older),
  };
}
