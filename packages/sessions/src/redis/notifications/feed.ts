import { WherryError } from '@wherry/core';
import { createClient } from 'redis';
import type { FeedEvent, FeedPosition, FollowedFeed, SourceChange, SourceChangeFeed } from '../../source/change-feed.ts';
import { checkPrefix, keyPattern } from '../companion-key.ts';
import type { RawIdOf } from '../replication/session-changes.ts';
import { SideClient } from '../replication/side-client.ts';

/** Options of {@link createRedisNotificationFeed}. */
export interface RedisNotificationOptions {
  /** `redis://` or `rediss://` of one server, with the database as its path. */
  readonly url: string;
  /** What the keys of the sessions start with; default `sess:`. */
  readonly prefix?: string;
  /** Which keys under the prefix are sessions; default: all, and the id is what stands behind the prefix. */
  readonly rawIdOf?: RawIdOf;
  /** Time between two passes over all keys, ms; default one minute. */
  readonly passEveryMs?: number;
  /** How long a call may take, ms; default 2000. */
  readonly timeoutMs?: number;
}

/** Changes that wait for their reader. More are dropped, and a pass over all keys makes up for them. */
const MOST_WAITING = 20_000;
const PAGE = 500;
/** How often the feed says that it is alive. */
const IDLE_MS = 100;
/** Generic commands, strings, hashes, expired and evicted keys, as keyspace events. */
const NEEDED = ['K', 'g', '$', 'h', 'x', 'e'] as const;

/** Names of events (Redis documentation, "Redis keyspace notifications") by which a session goes. */
const GONE: ReadonlySet<string> = new Set(['del', 'evicted', 'rename_from', 'move_from']);

/**
 * The changes of a Redis where replication is forbidden: keyspace notifications tell which keys were touched, and passes over
 * all keys, one at each connection and one in each period, make up for those that were lost. Notifications are lost whenever
 * the connection breaks or its buffer overflows, and nothing says so: hence it is not `reliable`.
 *
 * What it can prove: each session that is there is read again at least once in each period. What it cannot: that a session
 * which was removed while nobody listened was removed then (the next comparison of both sides finds it), and whom a session
 * belonged to between two looks. So no slot leaves the source before all have stopped to write past us and both sides were
 * compared after that.
 *
 * Needs `notify-keyspace-events` with KEA, or at least Kg$hxe; `source_refused` says so. Its places count by the clock of
 * the server.
 */
export function createRedisNotificationFeed(options: RedisNotificationOptions): SourceChangeFeed {
  checkPrefix(options.prefix ?? 'sess:');
  return new RedisNotificationFeed(options);
}

class RedisNotificationFeed implements SourceChangeFeed {
  readonly kind = 'redis-notifications';
  readonly reliable = false;
  readonly #options: RedisNotificationOptions;
  readonly #side: SideClient;
  #last = 0;

  constructor(options: RedisNotificationOptions) {
    this.#options = options;
    this.#side = new SideClient(options.url, options.timeoutMs ?? 2000);
  }

  /** Nothing is known of the time before: it begins anew whatever `from` is. */
  follow(_from: FeedPosition | null, signal: AbortSignal): FollowedFeed {
    return { acknowledge: () => undefined, [Symbol.asyncIterator]: () => this.#events(signal) };
  }

  /** The server's clock in microseconds: no two readings through one connection share one. */
  async head(): Promise<FeedPosition> {
    const [seconds, microseconds] = (await this.#side.ask('TIME')) as [string, string];
    return { history: 'clock', at: Number(seconds) * 1_000_000 + Number(microseconds), detail: '' };
  }

  async close(): Promise<void> {
    await this.#side.close();
  }

  async *#events(signal: AbortSignal): AsyncGenerator<FeedEvent> {
    await this.#checkEvents();
    const { url, prefix = 'sess:', passEveryMs = 60_000 } = this.#options;
    const listener = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 2000 } });
    let lost: unknown;
    let wake: (() => void) | undefined;
    listener.on('error', (error: unknown) => {
      lost ??= error;
      wake?.();
    });
    listener.on('end', () => {
      lost ??= new Error('the connection has ended');
      wake?.();
    });
    let waiting: SourceChange[] = [];
    let overflowed = false;
    try {
      await connected(listener);
      const database = new URL(url).pathname.slice(1) || '0';
      await listener.pSubscribe(`__keyspace@${database}__:${keyPattern(prefix)}`, (event, channel) => {
        const change = this.#changeOf(event, channel.slice(channel.indexOf(':') + 1));
        if (change === undefined) return;
        if (waiting.length < MOST_WAITING) waiting.push(change);
        else overflowed = true;
        wake?.();
      });
      const beginning = await this.#place();
      yield { type: 'begun', resumed: false, position: beginning };
      yield* this.#pass(prefix);
      yield { type: 'present-end' };
      let passedAt = performance.now();
      while (!signal.aborted) {
        if (lost !== undefined) throw new WherryError('source_unavailable', 'the notifications of Redis were cut off', { cause: lost });
        // Taken before the clock is asked: what came later is of a later place.
        const changes = waiting;
        waiting = [];
        yield { type: 'changes', changes, position: await this.#place() };
        if (overflowed || performance.now() - passedAt >= passEveryMs) {
          overflowed = false;
          passedAt = performance.now();
          yield* this.#pass(prefix);
        }
        if (waiting.length === 0) await woken(signal, IDLE_MS, (resolve) => (wake = resolve));
      }
    } finally {
      listener.destroy();
    }
  }

  /** Where the server does not say what it notifies of, it is taken to be enough. */
  async #checkEvents(): Promise<void> {
    const reply = await this.#side.ask('CONFIG', 'GET', 'notify-keyspace-events').catch(() => undefined);
    const flags = Array.isArray(reply) ? String(reply[1]) : undefined;
    if (flags === undefined || NEEDED.every((flag) => flags.includes(flag) || (flag !== 'K' && flags.includes('A')))) return;
    throw new WherryError(
      'source_refused',
      'Redis does not notify of changes: notify-keyspace-events has to be "KEA", or at least "Kg$hxe"',
    );
  }

  #changeOf(event: string, key: string): SourceChange | undefined {
    const { prefix = 'sess:', rawIdOf } = this.#options;
    const rawId = rawIdOf === undefined ? key.slice(prefix.length) : rawIdOf(key);
    if (rawId === undefined || rawId === '') return undefined;
    // A session that we ended is known by its tombstone; what we wrote cannot be told from what others did.
    if (event === 'expired') return { rawId, kind: 'removal', expireTime: 0, own: true };
    if (GONE.has(event)) return { rawId, kind: 'removal', own: false };
    if (event === 'expire' || event === 'persist') return { rawId, kind: 'expiry', own: false };
    return { rawId, kind: 'other', own: false };
  }

  async *#pass(prefix: string): AsyncGenerator<FeedEvent> {
    const { rawIdOf = (key: string) => key.slice(prefix.length) } = this.#options;
    for (let cursor = '0'; ;) {
      const [next, keys] = (await this.#side.ask('SCAN', cursor, 'MATCH', keyPattern(prefix), 'COUNT', String(PAGE))) as [string, string[]];
      const rawIds = keys.flatMap((key) => rawIdOf(key) ?? []).filter((rawId) => rawId !== '');
      if (rawIds.length > 0) yield { type: 'present', rawIds };
      if (next === '0') return;
      cursor = next;
    }
  }

  /** Grows also where the clock of the server goes back. */
  async #place(): Promise<FeedPosition> {
    const head = await this.head();
    this.#last = Math.max(this.#last + 1, head.at);
    return { ...head, at: this.#last };
  }
}

async function connected(client: { connect(): Promise<unknown> }): Promise<void> {
  try {
    await client.connect();
  } catch (cause) {
    throw new WherryError('source_unavailable', 'Redis cannot be reached', { cause });
  }
}

/** Until somebody wakes it, `signal` aborts, or `ms` have passed. */
async function woken(signal: AbortSignal, ms: number, hand: (resolve: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const aborted = (): void => resolve();
  signal.addEventListener('abort', aborted);
  hand(resolve);
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', aborted);
}
