import type { Queryable } from '@wherry/core/control';
import { REVOCATION_TOPIC } from '@wherry/revocation';

/** A user of whom sessions have ended, and the least generation that lives. */
export interface RaisedUser {
  readonly userId: string;
  readonly generation: number;
}

/** Users whose generation was raised, or who were kept out or let in again, by changes over `since`, and the newest change. */
export async function raisedSince(
  control: Queryable,
  since: bigint,
): Promise<{ readonly newest: bigint; readonly users: readonly RaisedUser[] }> {
  // One statement sees one moment: all changes up to the newest, which become visible in their order.
  const { rows } = await control.query<{ newest: bigint; user_id: string | null; generation: bigint | null }>(
    `SELECT f.newest, u.key AS user_id, u.value AS generation
     FROM (SELECT coalesce((SELECT seq FROM feed_topic WHERE topic = $1), 0) AS newest) f
     LEFT JOIN revocation u ON u.kind = 'user'
       AND EXISTS (SELECT FROM revocation r WHERE r.kind IN ('user', 'disabled') AND r.key = u.key AND r.seq > $2)`,
    [REVOCATION_TOPIC, since],
  );
  const users = rows.flatMap(({ user_id: userId, generation }) =>
    userId === null || generation === null ? [] : [{ userId, generation: Number(generation) }],
  );
  return { newest: rows[0]?.newest ?? 0n, users };
}

/** The least living generations of those of `userIds` of whom no change is newer than `settled`, and who are not kept out. */
export async function settledGenerations(
  control: Queryable,
  userIds: readonly string[],
  settled: bigint,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await control.query<{ user_id: string; generation: bigint }>(
    `SELECT key AS user_id, value AS generation FROM revocation u
     WHERE kind = 'user' AND key = ANY($1::text[]) AND seq <= $2
       AND NOT EXISTS (SELECT FROM revocation d WHERE d.kind = 'disabled' AND d.key = u.key AND (d.value <> 0 OR d.seq > $2))`,
    [userIds, settled],
  );
  return new Map(rows.map(({ user_id: userId, generation }) => [userId, Number(generation)]));
}
