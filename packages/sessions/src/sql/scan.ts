import type { RowStatement, Shard } from '@wherry/shards';
import { SESSION_COLUMNS, storedSession } from './session-row.ts';
import type { StoredSession } from './stored-session.ts';

/** Where a page ends and the next begins: the primary key. */
export interface ScanCursor {
  readonly slot: number;
  readonly id: bigint;
}

/** What to read. */
export interface ScanOptions {
  /** The last page's `next`; null: from the start. */
  readonly after: ScanCursor | null;
  readonly limit: number;
  /** Only these slots; default all. */
  readonly slots?: readonly number[];
  /** Only sessions that were carried over from a source. */
  readonly carriedOnly?: boolean;
}

/** A page of a scan. */
export interface SessionScanPage {
  readonly sessions: readonly StoredSession[];
  /** null: nothing comes after this page. */
  readonly next: ScanCursor | null;
}

/** Rows of one shard. */
export interface SessionCounts {
  readonly shard: string;
  readonly live: number;
  readonly ended: number;
}

/** A page of rows in the order of the primary key. */
export async function scanSessions(shard: Shard, options: ScanOptions): Promise<SessionScanPage> {
  const { limit, slots, carriedOnly } = options;
  const carried = carriedOnly === true ? 'AND t.source_ref IS NOT NULL' : '';
  const { text, values } = shard.dialect === 'mysql' ? mysqlPage(options, carried) : postgresPage(options, carried);
  const name = `session-scan${slots === undefined ? '' : '-slots'}${carriedOnly === true ? '-carried' : ''}`;
  let sessions: StoredSession[] = [];
  let last: ScanCursor | null = null;
  await shard.readRows({ name, text, values }, () => {
    sessions = [];
    last = null;
    return (row) => {
      const key = (last = { slot: row.number(), id: row.bigint() });
      const session = storedSession(row, key);
      if (session !== undefined) sessions.push(session);
    };
  });
  return { sessions, next: sessions.length < limit ? null : last };
}

type Page = Pick<RowStatement, 'text' | 'values'>;

function postgresPage({ after, limit, slots }: ScanOptions, carried: string): Page {
  const values = [String(after?.slot ?? -1), String(after?.id ?? 0n), String(limit)];
  if (slots !== undefined) values.push(`{${slots.join(',')}}`);
  const text = `SELECT t.slot, t.id, ${SESSION_COLUMNS.postgres.join(', ')} FROM user_session t WHERE (t.slot, t.id) > ($1::int, $2::bigint)
    ${slots === undefined ? '' : 'AND t.slot = ANY ($4::int[])'} ${carried} ORDER BY t.slot, t.id LIMIT $3`;
  return { text, values };
}

/** The key's two parts are compared one by one: rows compared with rows are not looked up in the index. Integers stand in the text as what they are. */
function mysqlPage({ after, limit, slots }: ScanOptions, carried: string): Page {
  const [slot, id] = [after?.slot ?? -1, after?.id ?? 0n];
  const wanted = slots === undefined ? '' : `AND t.slot IN (${slots.length === 0 ? 'NULL' : slots.map(Number).join(',')})`;
  const text = `SELECT t.slot, t.id, ${SESSION_COLUMNS.mysql.join(', ')} FROM user_session t
    WHERE t.slot >= ${slot} AND (t.slot > ${slot} OR t.id > ${id}) ${wanted} ${carried} ORDER BY t.slot, t.id LIMIT ${limit}`;
  return { text, values: [] };
}

/** Counts every row of a shard. */
export async function countSessions(shard: Shard): Promise<SessionCounts> {
  const text = 'SELECT count(*) - count(deleted_at), count(deleted_at) FROM user_session';
  const [row] = await shard.queryArrays({ name: 'session-count', text, values: [] });
  return { shard: shard.name, live: (row?.[0] as number | undefined) ?? 0, ended: (row?.[1] as number | undefined) ?? 0 };
}
