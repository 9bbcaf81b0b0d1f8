import { controlError, nextSeq, transaction, type Database, type FeedTopic, type Queryable, type Transaction } from '@wherry/core/control';

/** The feed topic of the source's state. */
export const SOURCE_TOPIC = 'source';

/**
 * Whether this deployment still uses its source. Once it is retired no call of this process reaches it; that is
 * acknowledged only when those that were under way have come back.
 */
export class SourceState implements FeedTopic {
  readonly topic: string = SOURCE_TOPIC;
  readonly #database: Database;
  readonly #underWay = new Set<Promise<unknown>>();
  #retired = false;

  constructor(database: Database) {
    this.#database = database;
  }

  get retired(): boolean {
    return this.#retired;
  }

  async load(): Promise<bigint> {
    const { rows } = await this.#database.query<{ retired: boolean; seq: bigint }>('SELECT retired, seq FROM source_state');
    const row = rows[0];
    if (row === undefined) return 0n;
    this.#retired = row.retired;
    return row.seq;
  }

  async acting(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** A call to the source, where there is one; `otherwise` is what a source without anything in it would answer. */
  async call<T>(work: () => Promise<T>, otherwise: () => T): Promise<T> {
    if (this.#retired) return otherwise();
    const going = work();
    this.#underWay.add(going);
    try {
      return await going;
    } finally {
      this.#underWay.delete(going);
    }
  }
}

/** Since when the source is retired, epoch ms by the control database; undefined: it is in use. Errors: `control_unavailable`. */
export async function sourceRetiredSince(database: Queryable): Promise<number | undefined> {
  try {
    const { rows } = await database.query<{ since: bigint }>('SELECT since FROM source_state WHERE retired');
    return rows[0] === undefined ? undefined : Number(rows[0].since);
  } catch (error) {
    throw controlError(error);
  }
}

/**
 * Retires the source, or takes it into use again, in a transaction that `also` belongs to. Answers the number under which
 * all acknowledge it in the topic {@link SOURCE_TOPIC}. What it is already, it stays since when it was.
 */
export async function setSourceRetired(database: Database, retired: boolean, also: (tx: Transaction) => Promise<void>): Promise<bigint> {
  return transaction(database, async (tx) => {
    await also(tx);
    const seq = await nextSeq(tx, SOURCE_TOPIC);
    await tx.query(
      `INSERT INTO source_state AS s (retired, since, seq) VALUES ($1, wherry_now(), $2)
       ON CONFLICT (id) DO UPDATE SET retired = excluded.retired, seq = excluded.seq,
         since = CASE WHEN s.retired = excluded.retired THEN s.since ELSE excluded.since END`,
      [retired, seq],
    );
    return seq;
  });
}
