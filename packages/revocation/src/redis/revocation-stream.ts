import { backoffDelay, deriveKey, noMetrics, pause, silentLogger, systemClock } from '@wherry/core';
import type { Clock, Component, Logger, Metrics } from '@wherry/core';
import type { KeyObject } from 'node:crypto';
import type { RevocationChange } from '../change.ts';
import type { Revocations } from '../revocations.ts';
import type { RevocationSet } from '../revocation-set.ts';
import { openEntry, sealEntry } from './entry.ts';
import { openStreamClient, type StreamClient, type StreamItem } from './stream-client.ts';

/** Options of {@link RevocationStream}. */
export interface RevocationStreamOptions {
  /** `redis://` or `rediss://`; never logged. */
  readonly url: string;
  /** The key of the stream; default `wherry:revocations`. */
  readonly key?: string;
  /** 32 bytes; what authenticates the entries is derived from it. */
  readonly masterKey: Uint8Array;
  /** Learns of what others have ended. */
  readonly set: Pick<RevocationSet, 'note'>;
  /** Whose changes the others are told of. */
  readonly revocations: Pick<Revocations, 'onChange'>;
  /** The control database's time as far as is known, epoch milliseconds; default the wall clock. */
  readonly now?: () => number;
  /** About how many entries are kept; default 10000. */
  readonly length?: number;
  readonly log?: Logger;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
}

/** Counts since the start. */
export interface RevocationStreamStats {
  readonly published: number;
  /** Not published, because Redis was away or behind. */
  readonly dropped: number;
  readonly applied: number;
  /** Not written by us, or for another stream. */
  readonly refused: number;
  /** So old that it may be an entry from before, put there again. */
  readonly outdated: number;
  readonly connected: boolean;
}

const WAIT_MS = 1000;
const COUNT = 100;
/** Most entries on their way; more are dropped rather than kept for a Redis that does not take them. */
const MOST_UNDERWAY = 100;
/** An entry older than this is not looked at: each instance has had its changes from the control database long since. */
const OUTDATED_MS = 600_000;
const LOG_EVERY_MS = 10_000;
const LONGEST_WAIT_MS = 2000;

/**
 * Revocations over a Redis stream, beside the feed of the control database. The feed stays the truth: a change is told
 * here only when it is durable there, every instance polls on and is fresh by its polls alone. So the stream may lose,
 * double, reorder and delay as it likes, be trimmed, deleted or away, and costs nothing but the time that it saves.
 * It never brings anything back: of the changes only the end of a disabling gives something, and a later number in the
 * control database decides about it. Entries are authenticated under a key derived from the master key, because whoever
 * can write to Redis could sign everybody out otherwise.
 */
export class RevocationStream implements Component {
  readonly name = 'revocation-stream';
  readonly #options: RevocationStreamOptions;
  readonly #stream: string;
  readonly #key: KeyObject;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #stop = new AbortController();
  readonly #stats = { published: 0, dropped: 0, applied: 0, refused: 0, outdated: 0, connected: false };
  #reading: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  #reader: StreamClient | undefined;
  #writer: StreamClient | undefined;
  readonly #underway = new Set<Promise<void>>();
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RevocationStreamOptions) {
    this.#options = options;
    this.#stream = options.key ?? 'wherry:revocations';
    this.#key = deriveKey(options.masterKey, 'revocation-stream');
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? (() => this.#clock.now());
    this.#observe(options.metrics ?? noMetrics);
  }

  get stats(): RevocationStreamStats {
    return this.#stats;
  }

  /** Begins to tell and to listen. Waits for no Redis: nobody depends on it. */
  async run(): Promise<void> {
    this.#options.revocations.onChange((changes) => this.#publish(changes));
    this.#reading = this.#keep(
      (client) => this.#read(client),
      (client) => (this.#reader = client),
    );
    this.#writing = this.#keep(
      (client) => this.#write(client),
      (client) => (this.#writer = client),
    );
  }

  async drain(): Promise<void> {
    await Promise.all(this.#underway);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#reader?.close();
    this.#writer?.close();
    await Promise.all([this.#reading, this.#writing]);
  }

  #publish(changes: readonly RevocationChange[]): void {
    const writer = this.#writer;
    if (writer === undefined || this.#underway.size >= MOST_UNDERWAY) {
      this.#stats.dropped++;
      return;
    }
    const entry = sealEntry(this.#key, this.#stream, { at: Math.round(this.#now()), changes });
    const sent = writer.add(entry, this.#options.length ?? 10_000).then(
      () => void this.#stats.published++,
      (error: unknown) => {
        this.#stats.dropped++;
        this.#tell('a revocation was not told over Redis; the control database tells it', error);
      },
    );
    this.#underway.add(sent);
    void sent.finally(() => this.#underway.delete(sent));
  }

  /** Keeps one connection in use for as long as this runs. */
  async #keep(use: (client: StreamClient) => Promise<void>, hold: (client: StreamClient | undefined) => void): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; failures++) {
      let client: StreamClient | undefined;
      try {
        client = await openStreamClient(this.#options.url, this.#stream);
        hold(client);
        failures = 0;
        if (!this.#stop.signal.aborted) await use(client);
      } catch (error) {
        if (!this.#stop.signal.aborted) this.#tell('the stream of revocations cannot be used; the control database is', error);
      } finally {
        hold(undefined);
        client?.close();
      }
      await pause(20 + backoffDelay(failures, { maxMs: LONGEST_WAIT_MS }), this.#stop.signal);
    }
  }

  /** Reads from the end on. What came before, or is lost with a connection, the feed has. */
  async #read(client: StreamClient): Promise<void> {
    let from = await client.newest();
    this.#stats.connected = true;
    try {
      while (!this.#stop.signal.aborted) {
        const items = await client.read(from, COUNT, WAIT_MS);
        for (const item of items) this.#apply(item);
        from = items.at(-1)?.id ?? lower(from, await client.newest());
      }
    } finally {
      this.#stats.connected = false;
    }
  }

  /** Looks after a connection that only others use: it ends when a question is not answered. */
  async #write(client: StreamClient): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await client.newest();
      await pause(WAIT_MS, this.#stop.signal);
    }
  }

  #apply({ entry }: StreamItem): void {
    const opened = entry === undefined ? undefined : openEntry(this.#key, this.#stream, entry);
    if (opened === undefined) {
      this.#stats.refused++;
      this.#tell('somebody else writes to the stream of revocations; what is not ours is not believed');
    } else if (Math.abs(this.#now() - opened.at) > OUTDATED_MS) {
      this.#stats.outdated++;
    } else {
      for (const change of opened.changes) this.#options.set.note(change);
      this.#stats.applied++;
    }
  }

  #tell(message: string, error?: unknown): void {
    const now = this.#clock.monotonic();
    if (now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = now;
    this.#log.warn(message, error === undefined ? {} : { error });
  }

  #observe(metrics: Metrics): void {
    const { published, dropped, applied, refused, outdated } = this.#stats;
    const outcomes = Object.keys({ published, dropped, applied, refused, outdated }) as (keyof Omit<RevocationStreamStats, 'connected'>)[];
    metrics.observeCounter(
      {
        name: 'wherry_revocation_stream_entries_total',
        help: 'Entries of the stream of revocations, by what became of them.',
        labels: ['outcome'],
      },
      () => outcomes.map((outcome) => ({ value: this.#stats[outcome], labels: { outcome } })),
    );
    metrics.observeGauge({ name: 'wherry_revocation_stream_connected', help: '1 while the stream of revocations is read.' }, () => [
      { value: Number(this.#stats.connected) },
    ]);
  }
}

/** Where to go on: a stream that was deleted begins anew, perhaps with lower ids. */
function lower(from: string, newest: string): string {
  const [[fromMs = '0', fromN = '0'], [newestMs = '0', newestN = '0']] = [from.split('-'), newest.split('-')];
  const difference = BigInt(newestMs) - BigInt(fromMs) || BigInt(newestN) - BigInt(fromN);
  return difference < 0n ? '0-0' : from;
}
