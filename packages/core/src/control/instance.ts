import { randomUUID } from 'node:crypto';
import { backoffDelay, pause } from '../backoff.ts';
import { systemClock, type Clock } from '../clock.ts';
import { WherryError } from '../errors.ts';
import type { Component } from '../lifecycle.ts';
import { silentLogger, type Logger } from '../log.ts';
import type { Database } from './database.ts';
import { leastAcknowledged, type FeedTopic } from './feed.ts';
import { NewsListener } from './news-listener.ts';

/** Options of {@link Instance}. Times in milliseconds. */
export interface InstanceOptions {
  readonly database: Database;
  /** What this process is, e.g. `gateway`; for people. */
  readonly role: string;
  /** What it follows. */
  readonly topics: readonly FeedTopic[];
  /** How long the lease lasts; default 5000. */
  readonly leaseMs?: number;
  /** How often it is renewed at the least; default 1000. */
  readonly renewMs?: number;
  readonly log?: Logger;
  readonly clock?: Clock;
}

/** How long after a failed load or acknowledgement the next try comes. */
const RELOAD_MS = 100;

/** The state of one followed topic in this process. */
interface Following {
  readonly topic: FeedTopic;
  /** Newest version that a poll told of, and when that poll was sent. */
  head: bigint;
  headSentAt: number;
  /** Version that was loaded, and the last moment of which it is proved that nothing newer existed. */
  reached: bigint;
  freshAt: number;
  /** Version acknowledged. */
  acked: bigint;
  loaded: boolean;
  loading: boolean;
}

interface PollRow {
  readonly topic: string | null;
  readonly seq: bigint | null;
  readonly now: bigint;
  readonly held: boolean;
}

/**
 * One statement renews the lease, says which versions this process acts on, and answers the newest version of every
 * topic. So a process that holds its lease also knows the news, and one that cannot reach the control database loses
 * both at the same time.
 */
const POLL = `
  WITH beat AS (
    UPDATE instance SET lease_until = wherry_now() + $2, acked = $3
    WHERE id = $1 AND state = 'live' AND lease_until > wherry_now() RETURNING id)
  SELECT t.topic, t.seq, wherry_now() AS now, EXISTS (SELECT FROM beat) AS held
  FROM (VALUES (1)) one LEFT JOIN feed_topic t ON true`;

/**
 * This process as the others know it: a lease in the control database, and the topics that it follows.
 *
 * The lease is judged by the monotonic clock from the moment at which its renewal was *sent*; the database counts from
 * a later moment, so this process stops believing in its lease before anyone else does. A lease that was lost is never
 * revived: the process registers under a new id, and the row of the old one stays behind as lapsed for those who have
 * to look after what it may have left undone. While it was lapsed nobody waited for this process, so the new lease
 * counts only from the moment at which every topic is known to be as new as the registration.
 */
export class Instance implements Component {
  readonly name = 'instance';
  readonly #options: InstanceOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #following: Map<string, Following>;
  readonly #stop = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #loads = new Set<Promise<void>>();
  #id = '';
  #leaseEnd = Number.NEGATIVE_INFINITY;
  #registeredAt = Number.NEGATIVE_INFINITY;
  /** False from a registration until every topic is as new as it. */
  #caughtUp = false;
  #clockOffset = 0;
  /** Control database's wall clock less this process's monotonic one; undefined until the first answer. */
  #databaseAhead: number | undefined;
  #wake = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;
  #listener: NewsListener | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#leaseMs = options.leaseMs ?? 5000;
    this.#renewMs = options.renewMs ?? 1000;
    this.#following = new Map(options.topics.map((topic) => [topic.topic, following(topic)]));
  }

  /** The id of the current registration. */
  get id(): string {
    return this.#id;
  }

  /** True while this process may act on what it knows. */
  get leaseValid(): boolean {
    return this.#caughtUp && this.#clock.monotonic() < this.#leaseEnd;
  }

  /**
   * True while the registration `id` holds its lease. For an act that takes time: note `id` before it, ask after it. A
   * lease lost and taken anew in between answers false, where `leaseValid` would not.
   */
  holdsLease(id: string): boolean {
    return id === this.#id && this.leaseValid;
  }

  /** The most milliseconds by which this process can be behind in `topic`: the age of the poll that proved it up to date. */
  staleMs(topic: string): number {
    return this.#clock.monotonic() - (this.#following.get(topic)?.freshAt ?? Number.NEGATIVE_INFINITY);
  }

  /** Control database's wall clock less this machine's, in milliseconds. */
  get clockOffsetMs(): number {
    return this.#clockOffset;
  }

  /**
   * The control database's wall clock by this process's reckoning, whole epoch milliseconds: counted on by the monotonic clock from
   * the last answer, so that nothing changes when somebody sets the clock of this machine. Before the first answer, that clock.
   */
  databaseNow(): number {
    return this.#databaseAhead === undefined ? this.#clock.now() : Math.floor(this.#clock.monotonic() + this.#databaseAhead);
  }

  /** Registers, follows, and resolves when every topic has been loaded once; `draining` when `stop` comes before. */
  async run(): Promise<void> {
    await this.#register();
    this.#listener = new NewsListener(this.#options.database, () => this.poke());
    this.#loop = this.#follow();
    await this.#ready.promise;
  }

  /** Asks for news now rather than at the next renewal. */
  poke(): void {
    this.#wake.resolve();
  }

  /**
   * Gives the lease back: this process has finished all that it began. With `clean` false it has not: the lease is
   * left to lapse, and whoever looks after lapsed instances looks after this one.
   */
  async stop({ clean = true }: { readonly clean?: boolean } = {}): Promise<void> {
    this.#stop.abort();
    this.#ready.promise.catch(() => undefined);
    this.#ready.reject(new WherryError('draining', 'this instance was stopped before it was ready'));
    this.poke();
    await this.#loop;
    await this.#listener?.close();
    await Promise.all(this.#loads);
    this.#leaseEnd = Number.NEGATIVE_INFINITY;
    if (this.#id !== '' && clean) {
      await this.#options.database
        .query(`UPDATE instance SET state = 'left' WHERE id = $1 AND state = 'live' AND lease_until > wherry_now()`, [this.#id])
        .catch((error: unknown) => this.#log.warn('the lease could not be given back; it will lapse', { error }));
    }
  }

  /**
   * Resolves true when every live instance that follows `topic` acts on `seq` (or its lease has ended), false after
   * `timeoutMs`. A database that does not answer counts as not acknowledged.
   */
  async acknowledged(topic: string, seq: bigint, timeoutMs: number): Promise<boolean> {
    const deadline = this.#clock.monotonic() + timeoutMs;
    for (;;) {
      const least = await leastAcknowledged(this.#options.database, topic).catch(() => -1n);
      if (least === undefined || least >= seq) return true;
      if (this.#clock.monotonic() >= deadline) return false;
      await pause(4);
    }
  }

  async #register(): Promise<void> {
    const id = randomUUID();
    const sent = this.#clock.monotonic();
    this.#caughtUp = false;
    await this.#options.database.query(
      `INSERT INTO instance (id, role, started_at, lease_until, acked) VALUES ($1, $2, wherry_now(), wherry_now() + $3, $4)`,
      [id, this.#options.role, this.#leaseMs, this.#acked()],
    );
    this.#id = id;
    this.#registeredAt = sent;
    this.#leaseEnd = sent + this.#leaseMs;
    this.#catchUp();
  }

  async #follow(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      this.#listener?.keep();
      try {
        await this.#poll();
        failures = 0;
      } catch (error) {
        if (failures++ === 0) this.#log.warn('the control database does not answer; asking again', { error });
      }
      const wait = failures === 0 ? this.#renewMs : Math.min(this.#renewMs, 20 + backoffDelay(failures));
      const timer = setTimeout(() => this.#wake.resolve(), wait);
      await this.#wake.promise;
      clearTimeout(timer);
    }
  }

  async #poll(): Promise<void> {
    const sent = this.#clock.monotonic();
    const wall = this.#clock.now();
    const { rows } = await this.#options.database.query<PollRow>(POLL, [this.#id, this.#leaseMs, this.#acked()]);
    const answered = this.#clock.monotonic();
    const first = rows[0];
    if (first === undefined) throw new Error('the poll answered no row');
    // The database read its clock somewhere between the two: what is known already stands where it fits, so that one slow answer
    // does not shift the reckoning by half of its time.
    const [least, most] = [Number(first.now) - answered, Number(first.now) - sent];
    this.#databaseAhead = Math.min(most, Math.max(least, this.#databaseAhead ?? (least + most) / 2));
    this.#clockOffset = Math.round(Number(first.now) - (wall + (answered - sent) / 2));
    if (!first.held) {
      this.#log.warn('the lease of this instance was lost; registering anew', { instance: this.#id });
      await this.#register();
      this.poke();
      return;
    }
    this.#leaseEnd = sent + this.#leaseMs;
    const heads = new Map(rows.map(({ topic, seq }) => [topic, seq]));
    for (const following of this.#following.values()) {
      following.head = heads.get(following.topic.topic) ?? following.head;
      following.headSentAt = sent;
      // Only an answer that leaves nothing newer unloaded proves freshness.
      if (following.loaded && following.reached >= following.head) following.freshAt = sent;
      else this.#begin(following);
    }
    this.#catchUp();
  }

  /** Loads one topic beside the polling, so that a slow topic holds up neither the lease nor the others. `stop` waits for it. */
  #begin(following: Following): void {
    if (following.loading || this.#stop.signal.aborted) return;
    following.loading = true;
    const load = this.#load(following);
    this.#loads.add(load);
    void load.finally(() => this.#loads.delete(load));
  }

  async #load(following: Following): Promise<void> {
    const { headSentAt, head } = following;
    try {
      following.reached = await following.topic.load(following.reached);
      following.loaded = true;
      if (following.reached >= head) following.freshAt = Math.max(following.freshAt, headSentAt);
      void this.#acknowledge(following, following.reached);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#log.warn('a topic could not be loaded; trying again', { topic: following.topic.topic, error });
      await pause(RELOAD_MS, this.#stop.signal);
      this.poke();
    } finally {
      following.loading = false;
    }
    // What was announced during the load is asked for at once, however long the acknowledgement of this one takes.
    if (following.head > head) this.poke();
    this.#catchUp();
  }

  /** Acknowledges with the next poll, which is sent at once. */
  async #acknowledge(following: Following, seq: bigint): Promise<void> {
    try {
      await following.topic.acting?.(seq);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#log.warn('a topic could not say whether it acts; asking again', { topic: following.topic.topic, error });
      await pause(RELOAD_MS, this.#stop.signal);
      // A later version that is acknowledged meanwhile says the same of this one.
      if (following.acked < seq && !this.#stop.signal.aborted) await this.#acknowledge(following, seq);
      return;
    }
    if (following.acked < seq) following.acked = seq;
    this.poke();
  }

  #catchUp(): void {
    const all = [...this.#following.values()];
    if (!all.every(({ loaded, freshAt }) => loaded && freshAt >= this.#registeredAt)) return;
    this.#caughtUp = true;
    this.#ready.resolve();
  }

  #acked(): string {
    return JSON.stringify(Object.fromEntries([...this.#following].map(([topic, { acked }]) => [topic, Number(acked)])));
  }
}

function following(topic: FeedTopic): Following {
  return { topic, head: 0n, headSentAt: 0, reached: 0n, freshAt: Number.NEGATIVE_INFINITY, acked: 0n, loaded: false, loading: false };
}
