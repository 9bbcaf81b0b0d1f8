import { WherryError } from '@wherry/core';
import type { SessionVersion } from '../record.ts';
import type {
  SaveIdentity,
  SourceDescription,
  SourcePage,
  SourcePartition,
  SourceSave,
  SourceSession,
  SourceStore,
  SourceTouch,
  SourceWrite,
} from '../source/contract.ts';
import { checkExpiry, checkLife } from '../source/life.ts';
import { byteCommander } from './byte-commander.ts';
import { byteSource } from './byte-source.ts';
import { checkPrefix, companionKey, keyPattern } from './companion-key.ts';
import { RedisConnection, type RedisCommander } from './connection.ts';
import { openClient, type OwnClient } from './own-client.ts';
import { readSessions, saveOf, touchOf, writeOf } from './replies.ts';
import { END, PUT, READ, SAVE, SCAN, TOUCH } from './scripts.ts';

/** Options of {@link createRedisSource}: a client or a URL is needed. */
export interface RedisSourceOptions {
  /** The application's own client of the package `redis`, connected; it is not closed here. A client with a `keyPrefix` is not supported. */
  readonly client?: RedisCommander;
  /** `redis://` or `rediss://`; a client is opened and closed here. */
  readonly url?: string;
  /** What the keys of the sessions start with; default `sess:`, as connect-redis has it. */
  readonly prefix?: string;
  /** For people: where it is, without credentials. Known by itself where `url` is given. */
  readonly location?: string;
  /** True: values need not be text. They are handed over and taken as `textOfBytes` makes them. */
  readonly bytes?: boolean;
  /** How long a call may take, ms; default 2000. */
  readonly timeoutMs?: number;
  /** How much longer than its session a version is kept, ms; default one day. */
  readonly versionMarginMs?: number;
}

/** Sessions read by one script: several hundred a round trip, while the server stays free for others. */
const READ_BATCH = 500;
/** Most bytes of values in one reply. */
const READ_BYTES = 4 * 1024 * 1024;
/** Keys looked at before a count is estimated from their share. */
const COUNT_SAMPLE = 20_000;
/** Most scan steps for one page, where sessions lie thinly among other keys. */
const PAGE_STEPS = 20;

/**
 * Sessions in the layout of connect-redis 7 to 10: key `prefix + id`, JSON text, the key's own expiry decides. Needs
 * Redis 6.2 or newer, without cluster mode. Keys under the prefix that hold no string are no sessions.
 */
export function createRedisSource(options: RedisSourceOptions): SourceStore {
  const source = openSource(options);
  return options.bytes === true ? byteSource(source) : source;
}

function openSource(options: RedisSourceOptions): SourceStore {
  const { client, url } = options;
  if (client !== undefined && 'masters' in client) {
    throw new WherryError('config_invalid', 'a Redis source needs a client of one server: cluster mode is not supported');
  }
  if (client !== undefined) return new RedisSource(options, Promise.resolve(client), undefined);
  if (url === undefined) throw new WherryError('config_invalid', 'a Redis source needs a client or a URL');
  checkPrefix(options.prefix ?? 'sess:');
  const own = openClient(url);
  return new RedisSource(options, own.connected, own);
}

class RedisSource implements SourceStore {
  readonly #prefix: string;
  readonly #location: string;
  readonly #margin: string;
  readonly #redis: RedisConnection;
  readonly #own: OwnClient | undefined;

  constructor(options: RedisSourceOptions, connected: Promise<RedisCommander>, own: OwnClient | undefined) {
    const { prefix = 'sess:', bytes = false } = options;
    checkPrefix(prefix);
    this.#prefix = bytes ? Buffer.from(prefix).toString('latin1') : prefix;
    this.#location = options.location ?? own?.location ?? 'redis';
    this.#margin = String(options.versionMarginMs ?? 86_400_000);
    this.#redis = new RedisConnection(bytes ? connected.then(byteCommander) : connected, options.timeoutMs ?? 2000);
    this.#own = own;
  }

  describe(): SourceDescription {
    return { kind: 'redis', layout: 'connect-redis', location: this.#location };
  }

  async now(): Promise<number> {
    const [seconds, microseconds] = (await this.#redis.command('TIME')) as [string, string];
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  async partitions(): Promise<readonly SourcePartition[]> {
    const { runId } = await this.#step('0', 1);
    return [{ id: '0', incarnation: runId }];
  }

  /** `source_cursor_lost` when the server is another process than the one that gave the cursor: cursors depend on its hash seed. */
  async scan(partition: SourcePartition, cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage> {
    const keys = new Set<string>();
    let at = cursor ?? '0';
    if (!/^\d+$/.test(at)) throw lost();
    for (let step = 0; step < PAGE_STEPS && keys.size * 2 < limit; step++) {
      signal?.throwIfAborted();
      const page = await this.#step(at, limit);
      if (page.runId !== partition.incarnation) throw lost();
      for (const key of page.keys) keys.add(key);
      at = page.next;
      if (at === '0') break;
    }
    signal?.throwIfAborted();
    const found = await this.#read([...keys]);
    return {
      sessions: found.filter((session) => session !== undefined && !session.ended) as SourceSession[],
      next: at === '0' ? null : at,
    };
  }

  async get(rawIds: readonly string[]): Promise<readonly (SourceSession | undefined)[]> {
    return this.#read(rawIds.map((rawId) => this.#prefix + rawId));
  }

  /** Exact up to some ten thousand keys; beyond that the share of sessions in a sample of all keys. */
  async count(): Promise<number> {
    let seen = 0;
    const sessions = new Set<string>();
    for (let at = '0'; seen < COUNT_SAMPLE;) {
      const page = await this.#step(at, 5000, '*');
      seen += page.keys.length;
      for (const key of page.keys) if (key.startsWith(this.#prefix)) sessions.add(key);
      at = page.next;
      if (at === '0') return sessions.size;
    }
    const keys = Number(await this.#redis.command('DBSIZE'));
    return Math.round((keys * sessions.size) / seen);
  }

  async save(rawId: string, value: string, ttlMs: number | null, epoch: number, identity?: SaveIdentity): Promise<SourceSave> {
    const marks = [identity?.mark ?? '', identity?.over === undefined ? '' : `=${identity.over}`];
    return saveOf(await this.#redis.script(SAVE, this.#keys(rawId), [value, checkLife(ttlMs), String(epoch), this.#margin, ...marks]));
  }

  async touch(rawId: string, ttlMs: number | null, epoch: number): Promise<SourceTouch> {
    return touchOf(await this.#redis.script(TOUCH, this.#keys(rawId), [checkLife(ttlMs), String(epoch), this.#margin]));
  }

  async end(rawId: string, keepMs: number, epoch: number): Promise<void> {
    await this.#redis.script(END, this.#keys(rawId), [checkLife(keepMs), String(epoch)]);
  }

  async put(rawId: string, value: string, expireTime: number | null, { epoch, n }: SessionVersion): Promise<SourceWrite> {
    return writeOf(
      await this.#redis.script(PUT, this.#keys(rawId), [value, checkExpiry(expireTime), String(epoch), String(n), this.#margin]),
    );
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }

  #keys(rawId: string): [string, string] {
    const key = this.#prefix + rawId;
    return [key, companionKey(key)];
  }

  async #step(cursor: string, count: number, pattern = keyPattern(this.#prefix)): Promise<{ runId: string; next: string; keys: string[] }> {
    const [runId, next, keys] = (await this.#redis.script(SCAN, [], [cursor, pattern, String(count)])) as [string, string, string[]];
    return { runId, next, keys };
  }

  /** Reads sessions by key, in the order asked. A reply holds as many as fit; the rest is asked for again. */
  async #read(keys: readonly string[]): Promise<(SourceSession | undefined)[]> {
    const sessions: (SourceSession | undefined)[] = [];
    while (sessions.length < keys.length) {
      const batch = keys.slice(sessions.length, sessions.length + READ_BATCH);
      const reply = await this.#redis.script(READ, [...batch, ...batch.map(companionKey)], [String(READ_BYTES)]);
      sessions.push(...readSessions(reply, batch, this.#prefix.length));
    }
    return sessions;
  }
}

function lost(): WherryError {
  return new WherryError('source_cursor_lost', 'Redis is another process than the one that gave the cursor; the partition starts again');
}
