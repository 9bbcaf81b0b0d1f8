import { systemClock, type Clock } from '@wherry/core';
import type { Database, FeedTopic } from '@wherry/core/control';
import type { RevocationView } from './view.ts';

/** The feed topic of revocations. */
export const REVOCATION_TOPIC = 'revocation';

/** Options of {@link RevocationSet}. */
export interface RevocationSetOptions {
  readonly database: Database;
  /** Milliseconds since this process was proved to be up to date in {@link REVOCATION_TOPIC}. */
  readonly staleMs: () => number;
  readonly clock?: Clock;
}

interface Row {
  readonly kind: 'session' | 'user' | 'issuer';
  readonly key: string;
  readonly value: bigint;
  readonly drained: boolean;
  readonly expire_time: bigint | null;
  readonly seq: bigint;
}

const PAGE = 20_000;
/** A record is forgotten this long after its time, so that a clock that runs ahead forgets nothing too early. */
const FORGET_MARGIN_MS = 60_000;
const SWEEP_EVERY_MS = 60_000;

/** Every revocation that is in force, held in memory and followed over the feed. */
export class RevocationSet implements FeedTopic, RevocationView {
  readonly topic: string = REVOCATION_TOPIC;
  readonly #options: RevocationSetOptions;
  readonly #clock: Clock;
  /** Ended sessions, and from when on each may be forgotten; Infinity while it is not drained. */
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<string, number>();
  #issuerNotBefore = 0;
  #version = 0;
  #sweptAt: number;

  constructor(options: RevocationSetOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#sweptAt = this.#clock.monotonic();
  }

  isSessionEnded(sid: string): boolean {
    return this.#sessions.has(sid);
  }

  minimumGeneration(userId: string): number {
    return this.#users.get(userId) ?? 0;
  }

  get issuerNotBefore(): number {
    return this.#issuerNotBefore;
  }

  get version(): number {
    return this.#version;
  }

  get staleMs(): number {
    return this.#options.staleMs();
  }

  /** How many records of each kind are held. */
  get size(): { readonly sessions: number; readonly users: number } {
    return { sessions: this.#sessions.size, users: this.#users.size };
  }

  /** Takes note of a session's end that this process has just made durable, before the feed brings it back. */
  noteSession(sid: string): void {
    if (!this.#sessions.has(sid)) this.#sessions.set(sid, Number.POSITIVE_INFINITY);
    this.#version++;
  }

  /** Takes note of a user's generation likewise. */
  noteGeneration(userId: string, generation: number): void {
    this.#users.set(userId, Math.max(generation, this.minimumGeneration(userId)));
    this.#version++;
  }

  async load(since: bigint): Promise<bigint> {
    // The head is read first, and only it is answered: what commits during the paging comes again with the next load. Rows
    // above it are applied all the same: one that was written anew meanwhile is not to be found under its old number.
    const head = await this.#options.database.query<{ seq: bigint }>('SELECT seq FROM feed_topic WHERE topic = $1', [REVOCATION_TOPIC]);
    const until = head.rows[0]?.seq ?? 0n;
    let after: readonly [bigint, string, string] = [since, '￿', ''];
    for (;;) {
      const { rows } = await this.#options.database.query<Row>(
        `SELECT kind, key, value, drained, expire_time, seq FROM revocation
         WHERE (seq, kind, key) > ($1::bigint, $2::text, $3::text) ORDER BY seq, kind, key LIMIT ${PAGE}`,
        [...after],
      );
      for (const row of rows) this.#apply(row);
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) break;
      after = [last.seq, last.kind, last.key];
    }
    this.#version++;
    this.#sweep();
    return until;
  }

  #apply(row: Row): void {
    switch (row.kind) {
      case 'session':
        this.#sessions.set(
          row.key,
          row.drained && row.expire_time !== null ? Number(row.expire_time) + FORGET_MARGIN_MS : Number.POSITIVE_INFINITY,
        );
        return;
      case 'user':
        this.#users.set(row.key, Math.max(Number(row.value), this.minimumGeneration(row.key)));
        return;
      case 'issuer':
        this.#issuerNotBefore = Math.max(Number(row.value), this.#issuerNotBefore);
    }
  }

  #sweep(): void {
    if (this.#clock.monotonic() - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = this.#clock.monotonic();
    const now = this.#clock.now();
    for (const [sid, forgetAt] of this.#sessions) if (forgetAt < now) this.#sessions.delete(sid);
  }
}
