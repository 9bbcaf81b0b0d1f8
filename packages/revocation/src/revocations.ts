import { MicroBatcher, isWherryError, type Component } from '@wherry/core';
import { audit, controlError, nextSeqSql, type Database } from '@wherry/core/control';
import { REVOCATION_TOPIC, type RevocationSet } from './revocation-set.ts';

/** Why a session ended; for people and counts. */
export type EndReason = 'logout' | 'rotation' | 'logout_everywhere' | 'found_missing' | 'operator';

/** One session's end, to be made durable. */
export interface SessionEnd {
  readonly slot: number;
  readonly id: bigint;
  /** SHA-256 of the bearer's secret part: what a tombstone has to match. */
  readonly digest: Buffer;
  readonly reason: EndReason;
}

/** A termination record that one of the stores may not have applied yet. */
export interface UndrainedEnd {
  readonly slot: number;
  readonly id: bigint;
  readonly digest: Buffer;
  readonly endedAt: number;
}

/** Options of {@link Revocations}. */
export interface RevocationsOptions {
  readonly database: Database;
  /** The set of this process; it learns of what is ended here at once. */
  readonly set: RevocationSet;
  /** How long a drained record stays: longest token life + skew + longest request, milliseconds. */
  readonly keepMs: number;
  /** Resolves true when every live instance acts on this sequence number (`Instance.acknowledged`). */
  readonly acknowledged: (topic: string, seq: bigint, timeoutMs: number) => Promise<boolean>;
  /** Longest wait for the others before a log-out is answered all the same; default 1000. */
  readonly propagationMs?: number;
}

const END_SESSIONS = `
  WITH next AS (${nextSeqSql('$1')})
  INSERT INTO revocation AS r (kind, key, value, slot, digest, reason, drained, expire_time, seq)
  SELECT 'session', e.id, wherry_now(), e.slot, e.digest, e.reason, false, wherry_now() + $6, next.seq
  FROM next, (SELECT DISTINCT ON (id) * FROM unnest($2::text[], $3::int[], $4::bytea[], $5::text[]) AS e (id, slot, digest, reason)) e
  ON CONFLICT (kind, key) DO UPDATE SET seq = excluded.seq
  RETURNING r.seq`;

const MARK_DRAINED = `
  WITH next AS (${nextSeqSql('$1')})
  UPDATE revocation SET drained = true, expire_time = wherry_now() + $3, seq = next.seq
  FROM next WHERE kind = 'session' AND key = ANY($2::text[]) AND NOT drained`;

const RAISE_GENERATION = `
  WITH next AS (${nextSeqSql('$1')})
  INSERT INTO revocation AS r (kind, key, value, reason, seq)
  SELECT 'user', $2, 1, $3, next.seq FROM next
  ON CONFLICT (kind, key) DO UPDATE SET value = r.value + 1, reason = excluded.reason, seq = excluded.seq
  RETURNING r.value, r.seq`;

/**
 * Ends things durably. Each act is one statement that takes its sequence number under the topic's lock, so a follower
 * of the numbers cannot skip it; then this process knows it; then, within a bound, every other.
 *
 * Users' generations are kept for ever: a forgotten one would bring back every session of an older generation that a
 * store still holds.
 */
export class Revocations implements Component {
  readonly name = 'revocations';
  readonly #options: RevocationsOptions;
  readonly #propagationMs: number;
  readonly #ends: MicroBatcher<SessionEnd, bigint>;
  readonly #drained: MicroBatcher<bigint, void>;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#propagationMs = options.propagationMs ?? 1000;
    this.#ends = new MicroBatcher({ maxSize: 500, maxInFlight: 1, run: (items) => this.#endBatch(items) });
    this.#drained = new MicroBatcher({ maxSize: 500, maxInFlight: 1, run: (ids) => this.#markBatch(ids) });
  }

  /** Makes the end of a session durable and known to this process; answers its sequence number. Throws `control_unavailable`. */
  async endSession(end: SessionEnd): Promise<bigint> {
    const seq = await this.#ends.add(end);
    this.#options.set.noteSession(end.id.toString());
    return seq;
  }

  /** Resolves true when every live instance acts on `seq`, false when some did not say so in time. */
  propagated(seq: bigint): Promise<boolean> {
    return this.#options.acknowledged(REVOCATION_TOPIC, seq, this.#propagationMs);
  }

  /** Both stores hold the tombstone: the record may be forgotten once no token of the session can live. */
  async markDrained(id: bigint): Promise<void> {
    await this.#drained.add(id);
  }

  /** Ends all sessions and tokens of a user that exist now: those of lower generations. Throws `control_unavailable`. */
  async raiseGeneration(userId: string, actor: string, reason: string): Promise<{ readonly generation: number; readonly seq: bigint }> {
    const { database, set } = this.#options;
    try {
      const { rows } = await database.query<{ value: bigint; seq: bigint }>(RAISE_GENERATION, [REVOCATION_TOPIC, userId, reason]);
      const row = rows[0];
      if (row === undefined) throw new Error('the generation was not raised');
      const generation = Number(row.value);
      set.noteGeneration(userId, generation);
      await audit(database, { actor, action: 'user.generation_raised', reason, details: { userId, generation } });
      return { generation, seq: row.seq };
    } catch (error) {
      throw isWherryError(error) ? error : controlError(error);
    }
  }

  /** Termination records of these slots (all where undefined) that are not drained, oldest first. */
  async undrained(slots: readonly number[] | undefined, limit: number): Promise<UndrainedEnd[]> {
    const { rows } = await this.#options.database.query<{ slot: number; key: string; digest: Buffer; value: bigint }>(
      `SELECT slot, key, digest, value FROM revocation
       WHERE kind = 'session' AND NOT drained AND ($1::int[] IS NULL OR slot = ANY($1::int[])) ORDER BY seq LIMIT $2`,
      [slots ?? null, limit],
    );
    return rows.map(({ slot, key, digest, value }) => ({ slot, id: BigInt(key), digest, endedAt: Number(value) }));
  }

  /** Deletes what no token and no store can bring back any more; answers how many. */
  async sweep(limit = 10_000): Promise<number> {
    const { rowCount } = await this.#options.database.query(
      `DELETE FROM revocation WHERE (kind, key) IN (
         SELECT kind, key FROM revocation WHERE expire_time < wherry_now() AND drained LIMIT $1)`,
      [limit],
    );
    return rowCount ?? 0;
  }

  async drain(): Promise<void> {
    await Promise.all([this.#ends.drained(), this.#drained.drained()]);
  }

  async #endBatch(items: readonly SessionEnd[]): Promise<bigint[]> {
    const { database, keepMs } = this.#options;
    try {
      const { rows } = await database.query<{ seq: bigint }>(END_SESSIONS, [
        REVOCATION_TOPIC,
        items.map(({ id }) => id.toString()),
        items.map(({ slot }) => slot),
        items.map(({ digest }) => digest),
        items.map(({ reason }) => reason),
        keepMs,
      ]);
      const seq = rows[0]?.seq;
      if (seq === undefined) throw new Error('no termination record was written');
      return items.map(() => seq);
    } catch (error) {
      throw controlError(error);
    }
  }

  async #markBatch(ids: readonly bigint[]): Promise<void[]> {
    const { database, keepMs } = this.#options;
    try {
      await database.query(MARK_DRAINED, [REVOCATION_TOPIC, ids.map(String), keepMs]);
    } catch (error) {
      throw controlError(error);
    }
    return ids.map(() => undefined);
  }
}
