import { pause, silentLogger, type Component, type Logger } from '@wherry/core';
import { nextSeq, transaction, type Database, type FeedTopic, type Queryable } from '@wherry/core/control';
import type { LiveSession } from './read.ts';

/** The feed topic of shadow reads. */
export const SHADOW_TOPIC = 'shadow';

/** What a reader compares: the answer that it gave, and how to look at both sides again. */
export interface ShadowRead {
  readonly answered: LiveSession;
  readonly other: () => Promise<LiveSession | undefined>;
  readonly again: () => Promise<LiveSession | undefined>;
}

/** Totals of one round over all instances. */
export interface ShadowCounts {
  readonly compared: number;
  readonly different: number;
}

/** Options of {@link ShadowReads}. */
export interface ShadowReadsOptions {
  readonly database: Database;
  /** This process' instance id, as of now. */
  readonly instance: () => string;
  readonly log?: Logger;
  /** Grace after which a difference is looked at again, ms; default 2000. */
  readonly graceMs?: number;
  readonly random?: () => number;
}

const REPORT_EVERY_MS = 500;
/** Comparisons under way at most: the shadow must never slow the light. */
const MOST_AT_ONCE = 200;
const EXPIRY_TOLERANCE_MS = 1000;

/**
 * While it is switched on, a share of the reads is repeated at the side that is not primary and compared. The answer
 * always comes from the primary side and never waits for this. A difference counts when it outlives the grace: touches
 * are mirrored behind.
 */
export class ShadowReads implements FeedTopic, Component {
  readonly name = 'shadow-reads';
  readonly topic: string = SHADOW_TOPIC;
  readonly #graceMs: number;
  readonly #options: ShadowReadsOptions;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  readonly #comparing = new Set<Promise<void>>();
  #share = 0;
  #round = 0n;
  #compared = 0;
  #different = 0;
  #reported = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ShadowReadsOptions) {
    this.#options = options;
    this.#graceMs = options.graceMs ?? 2000;
    this.#log = options.log ?? silentLogger;
  }

  async load(): Promise<bigint> {
    const { rows } = await this.#options.database.query<{ share: number; round: bigint; seq: bigint }>(
      'SELECT share, round, seq FROM shadow',
    );
    const row = rows[0];
    if (row === undefined) return 0n;
    if (row.round !== this.#round) {
      this.#compared = 0;
      this.#different = 0;
      this.#round = row.round;
    }
    this.#share = row.share;
    clearInterval(this.#timer);
    if (row.share > 0) this.#timer = setInterval(() => void this.#report().catch(this.#unreported), REPORT_EVERY_MS).unref();
    return row.seq;
  }

  /**
   * The end of a round counts as heard when what was compared has come to its end, its grace included, and is reported:
   * whoever sums up then misses nothing, whatever the grace of each reader is.
   */
  async acting(): Promise<void> {
    if (this.#share > 0) return;
    await Promise.all(this.#comparing);

    await this.#report();
  }

  /** True when this read is to be compared. */
  get wanted(): boolean {
    return this.#share > 0 && this.#comparing.size < MOST_AT_ONCE && (this.#options.random ?? Math.random)() < this.#share;
  }

  /** Compares in the background. Never throws; a side that does not answer says nothing. */
  compare(read: ShadowRead): void {
    const comparison = this.#compare(read, this.#round).catch(() => undefined);
    this.#comparing.add(comparison);
    void comparison.finally(() => this.#comparing.delete(comparison));
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    clearInterval(this.#timer);
    await Promise.resolve();
  }

  async #compare({ answered, other, again }: ShadowRead, round: bigint): Promise<void> {
    let different = !sameMeaning(answered, await other());
    if (different) {
      await pause(this.#graceMs, this.#ending.signal);
      const [now, there] = await Promise.all([again(), other()]);
      // Ended or expired meanwhile: nothing left to compare.
      different = now !== undefined && !sameMeaning(now, there) && !isInUse(answered, now, there);
      if (different)
        this.#log.warn('a shadow read differs', {
          slot: answered.key.slot,
          id: answered.key.id.toString(),
          there: there === undefined ? 'absent' : 'live',
        });
    }
    if (round !== this.#round) return;
    this.#compared++;
    if (different) this.#different++;
  }

  async #report(): Promise<void> {
    const text = `${this.#round} ${this.#compared} ${this.#different}`;
    if (text === this.#reported || this.#compared === 0) return;
    await this.#options.database.query(
      `INSERT INTO shadow_count (instance, round, compared, different) VALUES ($1, $2, $3, $4)
       ON CONFLICT (instance) DO UPDATE SET round = excluded.round, compared = excluded.compared, different = excluded.different`,
      [this.#options.instance(), this.#round, this.#compared, this.#different],
    );
    this.#reported = text;
  }

  readonly #unreported = (error: unknown): void => this.#log.debug('shadow counts could not be reported', { error });
}

/**
 * Sets the share of reads to compare; `fresh` starts a new round of counts. Answers the sequence number under which
 * readers acknowledge it in the topic {@link SHADOW_TOPIC}: a share of 0 when all that they compared is reported.
 */
export async function setShadowShare(database: Database, share: number, fresh: boolean): Promise<bigint> {
  return transaction(database, async (tx) => {
    const seq = await nextSeq(tx, SHADOW_TOPIC);
    await tx.query(
      `INSERT INTO shadow AS s (share, round, seq) VALUES ($1, 1, $2)
       ON CONFLICT (id) DO UPDATE SET share = excluded.share, seq = excluded.seq, round = s.round + $3`,
      [share, seq, fresh ? 1 : 0],
    );
    return seq;
  });
}

/** What all instances have found in the current round. */
export async function shadowCounts(database: Queryable): Promise<ShadowCounts> {
  const { rows } = await database.query<{ compared: bigint | null; different: bigint | null }>(
    'SELECT sum(compared)::bigint AS compared, sum(different)::bigint AS different FROM shadow_count c JOIN shadow s ON s.round = c.round',
  );
  return { compared: Number(rows[0]?.compared ?? 0n), different: Number(rows[0]?.different ?? 0n) };
}

/** True when the session is in use and differs in its expiry alone: touches are mirrored behind. */
function isInUse(answered: LiveSession, now: LiveSession, there: LiveSession | undefined): boolean {
  return there !== undefined && now.expireTime !== answered.expireTime && sameMeaning({ ...now, expireTime: there.expireTime }, there);
}

function sameMeaning(a: LiveSession, b: LiveSession | undefined): boolean {
  if (b === undefined) return false;
  const authorities = new Set(a.authorities);
  const sameExpiry =
    a.expireTime === null || b.expireTime === null
      ? a.expireTime === b.expireTime
      : Math.abs(a.expireTime - b.expireTime) <= EXPIRY_TOLERANCE_MS;
  return (
    a.userId === b.userId &&
    a.username === b.username &&
    // That of a captured session stands in its row alone.
    (a.userGeneration === b.userGeneration || a.userGeneration === 0 || b.userGeneration === 0) &&
    authorities.size === new Set(b.authorities).size &&
    b.authorities.every((authority) => authorities.has(authority)) &&
    sameExpiry
  );
}
