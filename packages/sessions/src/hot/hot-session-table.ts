import { controlError, type Queryable } from '@wherry/core/control';
import type { SessionKey } from '../record.ts';

/** A session that is asked for often. No secret. */
export interface HotSession {
  readonly key: SessionKey;
  /** What its clients send. */
  readonly kind: 'cookie' | 'session_token';
  /** Since it became one. */
  readonly requests: number;
}

/** What became of questions for sessions at one gateway since its start. */
export interface SessionMemory {
  /** Answered from memory. */
  readonly hits: number;
  /** A store was asked. */
  readonly misses: number;
  /** Read before anybody asked. */
  readonly warmed: number;
}

/** What nobody has asked for in this time is not hot any more, milliseconds. */
const KEEP_MS = 600_000;

/** Adds what a gateway has counted since its last report. Errors: `control_unavailable`. */
export async function reportHotSessions(
  database: Queryable,
  instance: string,
  hot: readonly HotSession[],
  memory: SessionMemory,
): Promise<void> {
  try {
    await database.query(REPORT, [
      hot.map(({ key }) => key.slot),
      hot.map(({ key }) => key.id),
      hot.map(({ key }) => key.digest),
      hot.map(({ kind }) => kind),
      hot.map(({ requests }) => requests),
      KEEP_MS,
      instance,
      memory.hits,
      memory.misses,
      memory.warmed,
    ]);
  } catch (error) {
    throw controlError(error);
  }
}

const REPORT = `
  WITH old AS (DELETE FROM hot_session WHERE seen_at < wherry_now() - $6 AND NOT (slot, id) IN (SELECT * FROM unnest($1::int[], $2::bigint[]))),
  hot AS (
    INSERT INTO hot_session AS h (slot, id, digest, kind, requests, seen_at)
    SELECT k.*, wherry_now() FROM unnest($1::int[], $2::bigint[], $3::bytea[], $4::text[], $5::bigint[]) k(slot, id, digest, kind, requests)
    ORDER BY slot, id
    ON CONFLICT (slot, id) DO UPDATE SET digest = excluded.digest, kind = excluded.kind, seen_at = excluded.seen_at,
      requests = excluded.requests + CASE WHEN h.seen_at < wherry_now() - $6 THEN 0 ELSE h.requests END)
  INSERT INTO session_memory AS m (instance, hits, misses, warmed, reported_at) VALUES ($7, $8, $9, $10, wherry_now())
  ON CONFLICT (instance) DO UPDATE SET hits = excluded.hits, misses = excluded.misses, warmed = excluded.warmed, reported_at = excluded.reported_at`;

/** The `most` sessions that are asked for most, over all gateways. Errors: `control_unavailable`. */
export async function readHotSessions(database: Queryable, most: number): Promise<readonly HotSession[]> {
  try {
    const { rows } = await database.query<{ slot: number; id: bigint; digest: Buffer; kind: HotSession['kind']; requests: bigint }>(
      'SELECT slot, id, digest, kind, requests FROM hot_session WHERE seen_at >= wherry_now() - $1 ORDER BY requests DESC, slot, id LIMIT $2',
      [KEEP_MS, most],
    );
    return rows.map(({ slot, id, digest, kind, requests }) => ({ key: { slot, id, digest }, kind, requests: Number(requests) }));
  } catch (error) {
    throw controlError(error);
  }
}

/** All memories together, of gateways that have reported lately. Errors: `control_unavailable`. */
export async function readSessionMemory(database: Queryable): Promise<SessionMemory> {
  try {
    const { rows } = await database.query<Record<keyof SessionMemory, bigint>>(
      `SELECT coalesce(sum(hits), 0)::bigint AS hits, coalesce(sum(misses), 0)::bigint AS misses, coalesce(sum(warmed), 0)::bigint AS warmed
       FROM session_memory WHERE reported_at >= wherry_now() - $1`,
      [KEEP_MS],
    );
    const { hits = 0n, misses = 0n, warmed = 0n } = rows[0] ?? {};
    return { hits: Number(hits), misses: Number(misses), warmed: Number(warmed) };
  } catch (error) {
    throw controlError(error);
  }
}
