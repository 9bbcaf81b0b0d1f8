import { randomUUID } from 'node:crypto';
import { MicroBatcher, isWherryError, type Component } from '@wherry/core';
import { controlError, type Database } from '@wherry/core/control';
import type { RevocationChange } from './change.ts';
import { REVOCATION_TOPIC, type RevocationSet } from './revocation-set.ts';
import {
  BEGIN_CHANGES,
  DECLARE_KEEP,
  DISABLE_USER,
  ENABLE_USER,
  END_CHANGES,
  END_FAMILIES,
  END_SESSIONS,
  END_TOKENS,
  MARK_DRAINED,
  OVERDUE_CHANGE,
  RAISE_GENERATION,
  RAISE_ISSUER,
  SETTLE_CHANGES,
} from './statements.ts';

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

/** One access token's end, to be made durable: its claims. */
export interface TokenEnd {
  readonly jti: string;
  /** NumericDate; the record is forgotten when no clock takes the token for alive any more. */
  readonly exp: number;
}

/** The end of a family of refresh tokens, to be made durable. `reused`: by a replayed one. */
export interface FamilyEnd {
  readonly id: bigint;
  readonly reason: 'revoked' | 'reused';
}

/** A session that is about to get another user or other authorities; see {@link Revocations.beginSessionChange}. */
export interface SessionChange {
  /** Id of the session's row. */
  readonly id: bigint;
  /** Names the change that was begun; undefined: none was. */
  readonly change?: string;
}

/** What became of raising a user's generation. */
export interface RaisedGeneration {
  /** Sessions and tokens of a lower one are ended. */
  readonly generation: number;
  readonly seq: bigint;
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
  /** How long a drained record stays at least: longest token life + skew + longest request, milliseconds. */
  readonly keepMs: number;
  /** Resolves true when every live instance acts on this sequence number (`Instance.acknowledged`). */
  readonly acknowledged: (topic: string, seq: bigint, timeoutMs: number) => Promise<boolean>;
  /** Longest wait for the others before a log-out is answered all the same; default 1000. */
  readonly propagationMs?: number;
}

interface Raised {
  readonly value: bigint;
  readonly seq: bigint;
}

/** The bound of a session's tokens, as a statement answers it. */
interface Bound extends Raised {
  readonly key: string;
}

/** Called with what this process has just made durable. Must not throw, and holds nobody up. */
export type ChangeListener = (changes: readonly RevocationChange[]) => void;

/** Most that are ended by one statement. */
const BATCH = 500;
/** A change of a session that takes longer than this was cut off by a crash: a save is given up long before. */
const CHANGE_MS = 10_000;

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
  readonly #listeners: ChangeListener[] = [];
  readonly #ends: MicroBatcher<SessionEnd, bigint>;
  readonly #families: MicroBatcher<FamilyEnd, bigint>;
  readonly #tokens: MicroBatcher<TokenEnd, bigint>;
  readonly #drained: MicroBatcher<bigint, void>;
  readonly #begun: MicroBatcher<SessionChange, bigint>;
  readonly #changed: MicroBatcher<SessionChange, bigint>;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#propagationMs = options.propagationMs ?? 1000;
    const bounds = { maxSize: BATCH, maxInFlight: 1 };
    this.#ends = new MicroBatcher({ ...bounds, run: (items) => this.#endSessions(items) });
    this.#families = new MicroBatcher({ ...bounds, run: (items) => this.#endFamilies(items) });
    this.#tokens = new MicroBatcher({ ...bounds, run: (items) => this.#endTokens(items) });
    this.#drained = new MicroBatcher({ ...bounds, run: (ids) => this.#markBatch(ids) });
    this.#begun = new MicroBatcher({ ...bounds, run: (items) => this.#changes(BEGIN_CHANGES, items) });
    this.#changed = new MicroBatcher({ ...bounds, run: (items) => this.#changes(END_CHANGES, items) });
  }

  /**
   * Tells everybody that records have to be kept as long as this process keeps them: it knows how long tokens live. What
   * is ended by processes that do not know lasts as long from then on.
   */
  async declareKeep(): Promise<void> {
    await this.#options.database.query(DECLARE_KEEP, [this.#options.keepMs]);
  }

  /** From now on `listener` hears of each change that this process makes, after it is durable and noted here. */
  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  /** Makes the end of a session durable and known to this process; answers its sequence number. Throws `control_unavailable`. */
  async endSession(end: SessionEnd): Promise<bigint> {
    return this.#ends.add(end);
  }

  /**
   * Ends all access tokens of a family of refresh tokens: those that it gave, and those that were made from them. After the
   * family itself, so that none is given any more. Throws `control_unavailable`.
   */
  async endFamily(end: FamilyEnd): Promise<bigint> {
    return this.#families.add(end);
  }

  /**
   * Makes the end of one access token durable, for as long as a clock could take it for alive; its session and other
   * tokens go on. Only for a token that was verified: any `jti` would be stored. Throws `control_unavailable`.
   */
  async endToken(end: TokenEnd): Promise<bigint> {
    return this.#tokens.add(end);
  }

  /**
   * Ends the tokens of a session that is about to get another user or other authorities; the session goes on. Durable
   * before the change is made, so that no crash leaves the old ones alive (but for those of the second since another change). What is issued between here and
   * {@link endSessionChange} may still be of before the change; that call ends it too, and {@link sweep} does where it
   * does not come within ten seconds. Throws `control_unavailable`.
   */
  async beginSessionChange(id: bigint): Promise<Required<SessionChange>> {
    const begun = { id, change: randomUUID() };
    await this.#begun.add(begun);
    return begun;
  }

  /**
   * Ends the tokens that were issued for a session before this moment: it has changed. What is issued from a reading that
   * comes after lives. Answers the sequence number. Throws `control_unavailable`.
   */
  async endSessionChange(change: SessionChange): Promise<bigint> {
    return this.#changed.add(change);
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
  async raiseGeneration(userId: string, actor: string, reason: string): Promise<RaisedGeneration> {
    const { value, seq } = await this.#raised(RAISE_GENERATION, userId, reason, actor);
    this.#noted([{ kind: 'user', key: userId, value, seq }]);
    return { generation: value, seq };
  }

  /**
   * Ends all that a user has, and keeps him out until {@link enableUser}; whether he is registered here or carried over
   * makes no difference. Repeatable. Throws `control_unavailable`.
   */
  async disableUser(userId: string, actor: string, reason: string): Promise<RaisedGeneration> {
    const { value, seq } = await this.#raised(DISABLE_USER, userId, reason, actor);
    this.#noted([
      { kind: 'user', key: userId, value, seq },
      { kind: 'disabled', key: userId, value: 1, seq },
    ]);
    return { generation: value, seq };
  }

  /** Lets a user in again; what was ended stays ended. undefined: he was not disabled. Throws `control_unavailable`. */
  async enableUser(userId: string, actor: string, reason: string): Promise<bigint | undefined> {
    const row = await this.#act<{ seq: bigint }>(ENABLE_USER, [userId, reason, actor]);
    if (row !== undefined) this.#noted([{ kind: 'disabled', key: userId, value: 0, seq: row.seq }]);
    return row?.seq;
  }

  /**
   * Ends every access token issued up to `second` (NumericDate), of whatever key; sessions go on, and are the way to a
   * new token. The bound only rises, and never over the running second. Throws `control_unavailable`.
   */
  async raiseIssuerNotBefore(second: number, actor: string, reason: string): Promise<{ readonly notBefore: number; readonly seq: bigint }> {
    const { value, seq } = await this.#raised(RAISE_ISSUER, Math.floor(second), reason, actor);
    this.#noted([{ kind: 'issuer', key: '*', value, seq }]);
    return { notBefore: value, seq };
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

  /** Ends what crashed changes of sessions have left; then deletes what no token and no store can bring back any more, and answers how many. */
  async sweep(limit = 10_000): Promise<number> {
    await this.#settleChanges();
    const { rowCount } = await this.#options.database.query(
      `DELETE FROM revocation WHERE (kind, key) IN (
         SELECT kind, key FROM revocation WHERE expire_time < wherry_now() AND drained LIMIT $1)`,
      [limit],
    );
    return rowCount ?? 0;
  }

  async drain(): Promise<void> {
    const batchers = [this.#ends, this.#families, this.#tokens, this.#drained, this.#begun, this.#changed];
    await Promise.all(batchers.map(async (batcher) => batcher.drained()));
  }

  #noted(changes: readonly RevocationChange[]): void {
    for (const change of changes) this.#options.set.note(change);
    for (const listener of this.#listeners) listener(changes);
  }

  async #raised(statement: string, ...values: readonly unknown[]): Promise<{ readonly value: number; readonly seq: bigint }> {
    const row = await this.#act<Raised>(statement, values);
    if (row === undefined) throw new Error('nothing was raised');
    return { value: Number(row.value), seq: row.seq };
  }

  /** Runs the statement of one act; answers its first row. */
  async #act<R extends object>(statement: string, values: readonly unknown[]): Promise<R | undefined> {
    return (await this.#rows<R>(statement, values))[0];
  }

  async #rows<R extends object>(statement: string, values: readonly unknown[]): Promise<readonly R[]> {
    try {
      const { rows } = await this.#options.database.query<R>(statement, [REVOCATION_TOPIC, ...values]);
      return rows;
    } catch (error) {
      throw isWherryError(error) ? error : controlError(error);
    }
  }

  async #endSessions(items: readonly SessionEnd[]): Promise<bigint[]> {
    const ids = items.map(({ id }) => id.toString());
    const columns = [items.map(({ slot }) => slot), items.map(({ digest }) => digest), items.map(({ reason }) => reason)];
    return this.#ended('session', ids, END_SESSIONS, [ids, ...columns, this.#options.keepMs]);
  }

  async #endFamilies(items: readonly FamilyEnd[]): Promise<bigint[]> {
    const ids = items.map(({ id }) => id.toString());
    return this.#ended('family', ids, END_FAMILIES, [ids, items.map(({ reason }) => reason), this.#options.keepMs]);
  }

  async #endTokens(items: readonly TokenEnd[]): Promise<bigint[]> {
    const jtis = items.map(({ jti }) => jti);
    // As long after `exp` as a record is kept in all: skew and the longest request are part of that.
    return this.#ended('token', jtis, END_TOKENS, [jtis, items.map(({ exp }) => Math.floor(exp)), this.#options.keepMs]);
  }

  async #ended(
    kind: 'session' | 'family' | 'token',
    keys: readonly string[],
    statement: string,
    values: readonly unknown[],
  ): Promise<bigint[]> {
    const row = await this.#act<{ seq: bigint }>(statement, values);
    if (row === undefined) throw new Error('no termination record was written');
    const { seq } = row;
    this.#noted(keys.map((key) => ({ kind, key, value: 0, seq })));
    return keys.map(() => seq);
  }

  async #changes(statement: string, items: readonly SessionChange[]): Promise<bigint[]> {
    const changes = items.flatMap(({ change }) => (change === undefined ? [] : [change]));
    const seq = this.#bounded(await this.#rows<Bound>(statement, [items.map(({ id }) => id.toString()), this.#options.keepMs, changes]));
    if (seq === undefined) throw new Error('no bound was written');
    return items.map(() => seq);
  }

  async #settleChanges(): Promise<void> {
    for (;;) {
      const { rowCount } = await this.#options.database.query(OVERDUE_CHANGE, [CHANGE_MS]);
      if (rowCount !== 1) return;
      // Another instance may have taken them meanwhile.
      if (this.#bounded(await this.#rows<Bound>(SETTLE_CHANGES, [CHANGE_MS, this.#options.keepMs, BATCH])) === undefined) return;
    }
  }

  #bounded(rows: readonly Bound[]): bigint | undefined {
    this.#noted(rows.map(({ key, value, seq }) => ({ kind: 'session_tokens', key, value: Number(value), seq })));
    return rows[0]?.seq;
  }

  async #markBatch(ids: readonly bigint[]): Promise<void[]> {
    await this.#act(MARK_DRAINED, [ids.map(String), this.#options.keepMs]);
    return ids.map(() => undefined);
  }
}
