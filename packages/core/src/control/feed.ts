import type { Queryable, Transaction } from './database.ts';

/** Channel on which a commit wakes the followers. A lost notice costs one polling interval, nothing else. */
export const FEED_CHANNEL = 'wherry_feed';

/**
 * The statement that takes the next sequence number of the topic in `parameter` and wakes the followers at its commit:
 * for use as a data-modifying CTE, so that an act is one statement and one round trip.
 */
export function nextSeqSql(parameter: string): string {
  return `INSERT INTO feed_topic AS t (topic, seq) VALUES (${parameter}, 1)
    ON CONFLICT (topic) DO UPDATE SET seq = t.seq + 1
    RETURNING seq, pg_notify('${FEED_CHANNEL}', topic)`;
}

/**
 * Takes the next sequence number of `topic` for the rows that this transaction writes, and wakes the followers at its
 * commit. The lock on the topic's row is held until then; take it last, it is what writers of a topic queue for.
 */
export async function nextSeq(tx: Transaction, topic: string): Promise<bigint> {
  const { rows } = await tx.query<{ seq: bigint }>(nextSeqSql('$1'), [topic]);
  const seq = rows[0]?.seq;
  if (seq === undefined) throw new Error('the feed gave no sequence number');
  return seq;
}

/** One kind of shared state that instances follow: keys, revocations, the slot map, the rollout. */
export interface FeedTopic {
  readonly topic: string;
  /**
   * Applies all rows of the topic that were written with a sequence number over `since`, and answers the number that
   * it reached: the topic's own in `feed_topic`, read in the same statement as the rows or before them, because rows
   * may have gone since. Rows over that number are applied as well where they are met: a row that is written again
   * moves to a higher number, and a read that stops at the one it answers would miss what the row has said since the
   * lower one. The first call has `since` 0n and loads the snapshot. Calls never overlap. A rejection is
   * tried again.
   */
  load(since: bigint): Promise<bigint>;
  /**
   * Resolves when nothing that this process began before it loaded `seq` is still under way; only then is `seq`
   * acknowledged. Later versions may be loaded meanwhile. Absent: loading is acting.
   */
  acting?(seq: bigint): Promise<void>;
}

/** The least sequence number of `topic` that every live instance following it has acknowledged; undefined when none follows. */
export async function leastAcknowledged(database: Queryable, topic: string): Promise<bigint | undefined> {
  const { rows } = await database.query<{ least: bigint | null }>(
    `SELECT min((acked->>$1)::bigint) AS least FROM instance WHERE state = 'live' AND lease_until > wherry_now() AND acked ? $1`,
    [topic],
  );
  return rows[0]?.least ?? undefined;
}
