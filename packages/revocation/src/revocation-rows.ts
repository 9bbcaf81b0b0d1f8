import type { Database, Queryable } from '@wherry/core/control';
import type { RevocationKind } from './change.ts';

/** A row as the set needs it. Times in epoch milliseconds. */
export interface RevocationRow {
  readonly kind: RevocationKind;
  readonly key: string;
  readonly value: number;
  readonly drained: boolean;
  readonly expireTime: number | null;
  readonly seq: number;
}

type RowValues = [kind: RevocationKind, key: string, value: number, drained: boolean, expireTime: number | null, seq: number];

/** Where the topic stands, by the control database's clock at the same moment. */
export interface RevocationHead {
  readonly seq: bigint;
  readonly now: number;
}

/** Rows of one statement: taking note of them holds the process up for a few milliseconds at the most. */
const PAGE = 1500;

/** The newest sequence number of `topic`. */
export async function readHead(database: Queryable, topic: string): Promise<RevocationHead> {
  const { rows } = await database.query<{ seq: bigint; now: bigint }>(
    'SELECT coalesce((SELECT seq FROM feed_topic WHERE topic = $1), 0) AS seq, wherry_now() AS now',
    [topic],
  );
  const row = rows[0];
  if (row === undefined) throw new Error('the head of the revocations could not be read');
  return { seq: row.seq, now: Number(row.now) };
}

/** All rows over `since`, oldest first, a page at a time. The next page is read while the caller works on one. */
export async function* readRows(database: Database, since: bigint): AsyncGenerator<readonly RevocationRow[], void, void> {
  // Numbers of the rows are below 2^53, and cost less to read than big ones; so do lists without names.
  const pageAfter = async (after: readonly unknown[]): Promise<readonly RevocationRow[]> => {
    const { rows } = await database.query<RowValues>({
      text: `SELECT kind, key, value::float8, drained, expire_time::float8, seq::float8 FROM revocation
        WHERE (seq, kind, key) > ($1::bigint, $2::text, $3::text) ORDER BY revocation.seq, kind, key LIMIT ${PAGE}`,
      values: [...after],
      rowMode: 'array',
    });
    return rows.map(([kind, key, value, drained, expireTime, seq]) => ({ kind, key, value, drained, expireTime, seq }));
  };
  let page = await pageAfter([since, '￿', '']);
  for (;;) {
    const last = page.at(-1);
    if (last === undefined) return;
    if (page.length < PAGE) {
      yield page;
      return;
    }
    const next = pageAfter([last.seq, last.kind, last.key]);
    next.catch(() => undefined);
    yield page;
    page = await next;
  }
}
