import { audit, type Database } from '@wherry/core/control';
import type { Undecodable } from '../source/decoder.ts';

/** Why a session cannot be carried. `unstorable`: its shard refuses it, alone as well as among others. */
export type DeadLetterReason = Undecodable['reason'] | 'id_collision' | 'unstorable';

/** A session that needs a person's decision. */
export interface DeadLetter {
  readonly slot: number;
  readonly id: bigint;
  readonly sourceRef: Buffer;
  readonly reason: DeadLetterReason;
  /** Words without any of the session's content. */
  readonly detail: string;
}

/** A dead letter as an operator sees it. */
export interface DeadLetterView {
  readonly slot: number;
  readonly id: string;
  readonly reason: DeadLetterReason;
  readonly detail: string;
  readonly firstSeen: number;
  readonly decision: 'abandon' | null;
}

/** Stores dead letters; one that is seen again keeps its decision. */
export async function addDeadLetters(database: Database, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  await database.query(
    `INSERT INTO dead_letter AS d (slot, id, source_ref, reason, detail)
     SELECT DISTINCT ON (slot, id) * FROM unnest($1::int[], $2::bigint[], $3::bytea[], $4::text[], $5::text[]) AS e (slot, id, source_ref, reason, detail)
     ON CONFLICT (slot, id) DO UPDATE SET last_seen = wherry_now(), reason = excluded.reason, detail = excluded.detail`,
    [
      letters.map(({ slot }) => slot),
      letters.map(({ id }) => id),
      letters.map(({ sourceRef }) => sourceRef),
      letters.map(({ reason }) => reason),
      letters.map(({ detail }) => detail),
    ],
  );
}

/** Removes the letters of sessions that are well now: mended by their application, ended or expired. */
export async function removeDeadLetters(database: Database, ids: readonly bigint[]): Promise<void> {
  if (ids.length > 0) await database.query('DELETE FROM dead_letter WHERE id = ANY($1::bigint[])', [ids]);
}

/** Removes undecided letters that were last seen before `time` (control's clock, epoch ms): a whole comparison since has met no such session. */
export async function forgetDeadLettersBefore(database: Database, time: number): Promise<void> {
  await database.query('DELETE FROM dead_letter WHERE decision IS NULL AND last_seen < $1', [time]);
}

/** How many nobody has decided about; of `slots` only where given. */
export async function undecidedDeadLetters(database: Database, slots?: readonly number[]): Promise<number> {
  const { rows } = await database.query<{ count: bigint }>(
    'SELECT count(*) FROM dead_letter WHERE decision IS NULL AND ($1::int[] IS NULL OR slot = ANY($1::int[]))',
    [slots ?? null],
  );
  return Number(rows[0]?.count ?? 0n);
}

/** The oldest `limit` letters. */
export async function listDeadLetters(database: Database, limit: number): Promise<DeadLetterView[]> {
  const { rows } = await database.query<{
    slot: number;
    id: bigint;
    reason: DeadLetterReason;
    detail: string;
    first_seen: bigint;
    decision: 'abandon' | null;
  }>('SELECT slot, id, reason, detail, first_seen, decision FROM dead_letter ORDER BY first_seen, id LIMIT $1', [limit]);
  return rows.map(({ slot, id, reason, detail, first_seen: firstSeen, decision }) => ({
    slot,
    id: id.toString(),
    reason,
    detail,
    firstSeen: Number(firstSeen),
    decision,
  }));
}

/** Decides that undecided letters (all, or the one with `id`) stay behind in the source; answers how many. */
export async function abandonDeadLetters(database: Database, actor: string, reason: string, id?: bigint): Promise<number> {
  const { rowCount } = await database.query(
    `UPDATE dead_letter SET decision = 'abandon', decided_by = $1, decided_at = wherry_now()
     WHERE decision IS NULL AND ($2::bigint IS NULL OR id = $2)`,
    [actor, id ?? null],
  );
  await audit(database, { actor, action: 'dead_letter.abandon', reason, details: { count: rowCount ?? 0, id: id?.toString() ?? 'all' } });
  return rowCount ?? 0;
}
