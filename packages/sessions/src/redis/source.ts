import { MicroBatcher, WherryError } from '@wherry/core';
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
import type { SourceLives } from '../source/lives.ts';
import { byteSource } from './byte-source.ts';
import { clusterSlot } from './cluster-slot.ts';
import { checkPrefix, companionKey, isCompanion, keyPattern } from './companion-key.ts';
import { RedisConnection } from './connection.ts';
import { KnownLives, type AcceptedLives } from './known-lives.ts';
import { TEXT_LAYOUT, type RedisLayout } from './layout.ts';
import { openClient, type OwnClient } from './own-client.ts';
import { Places } from './places.ts';
import { readSessions, saveOf, touchOf, writeOf } from './replies.ts';
import { isCluster, routesOf, type RedisClient } from './routes.ts';
import { CLOCK, KEYS, SCAN } from './scripts.ts';

/** Options of {@link createRedisSource}: a client or a URL is needed. */
export interface RedisSourceOptions {
  /**
   * The application's own client of the package `redis`, connected: of one server, a cluster, or one that asks sentinels. It is
   * not closed here. A client with a `keyPrefix` is not supported.
   */
  readonly client?: RedisClient;
  /** As `parseRedisUrl` takes it; a client is opened and closed here. */
  readonly url?: string;
  /** What the keys of the sessions start with; default `sess:`, as connect-redis has it. Empty: every key that is no companion is a session. */
  readonly prefix?: string;
  /** For people: where it is, without credentials. Known by itself where `url` is given. */
  readonly location?: string;
  /** True: values need not be text. They are handed over and taken as `textOfBytes` makes them. */
  readonly bytes?: boolean;
  /** What `canary` of the contract answers; default: as express-session would store it. */
  readonly canary?: string;
  /** How long a call may take, ms; default 2000. */
  readonly timeoutMs?: number;
  /** How much longer than its session a version is kept, ms; default one day. */
  readonly versionMarginMs?: number;
}

/** Sessions read by one script: several hundred a round trip, while the server stays free for others. */
const READ_BATCH = 500;
/** Most bytes of values in one reply. */
const READ_BYTES = 4 * 1024 * 1024;
/** Most single look-ups that share a script. */
const GATHERED = 100;
/** Keys looked at before a count is estimated from their share. */
const COUNT_SAMPLE = 20_000;
/** Most scan steps for one page, where sessions lie thinly among other keys. */
const PAGE_STEPS = 20;

/**
 * Sessions in the layout of connect-redis 7 to 10: key `prefix + id`, JSON text, the key's own expiry decides. Needs
 * Redis 6.2 or newer: one server, a cluster, or a group under sentinels. Keys under the prefix that hold no string are no sessions.
 */
export function createRedisSource(options: RedisSourceOptions): SourceStore {
  const source = openRedisSource(options, TEXT_LAYOUT);
  return options.bytes === true ? byteSource(source) : source;
}

/** Sessions of any layout, under the same rules; each layout says what its texts are. */
export function openRedisSource(options: RedisSourceOptions, layout: RedisLayout): SourceStore {
  const { client, url } = options;
  checkPrefix(options.prefix ?? 'sess:');
  if (client !== undefined) return new RedisSource(options, layout, Promise.resolve(client), isCluster(client), undefined);
  if (url === undefined) throw new WherryError('config_invalid', 'a Redis source needs a client or a URL');
  const own = openClient(url);
  return new RedisSource(options, layout, own.connected, own.isCluster, own);
}

/** A look-up, with what was accepted when it was asked for. */
interface LookUp {
  readonly key: string;
  readonly accepted: AcceptedLives;
}

class RedisSource implements SourceStore {
  readonly canary?: () => Promise<string>;
  readonly lives: SourceLives;
  readonly #layout: RedisLayout;
  readonly #prefix: string;
  readonly #location: string;
  readonly #margin: string;
  readonly #encoding: 'utf8' | 'latin1';
  readonly #sharded: boolean;
  readonly #redis: RedisConnection;
  readonly #places: Places;
  readonly #known = new KnownLives();
  readonly #own: OwnClient | undefined;
  readonly #lookUps = new MicroBatcher<LookUp, SourceSession | undefined>({
    run: (lookUps) => this.#lookUp(lookUps),
    maxSize: GATHERED,
    maxInFlight: Number.POSITIVE_INFINITY,
  });

  constructor(
    options: RedisSourceOptions,
    layout: RedisLayout,
    connected: Promise<RedisClient>,
    sharded: boolean,
    own: OwnClient | undefined,
  ) {
    const { prefix = 'sess:', bytes = false, canary } = options;
    if (canary !== undefined) this.canary = () => Promise.resolve(canary);
    this.#layout = layout;
    this.#encoding = bytes ? 'latin1' : 'utf8';
    this.#sharded = sharded;
    this.#prefix = bytes ? Buffer.from(prefix).toString('latin1') : prefix;
    this.#location = options.location ?? own?.location ?? 'redis';
    this.#margin = String(options.versionMarginMs ?? 86_400_000);
    this.#redis = new RedisConnection(connected.then(routesOf), options.timeoutMs ?? 2000, this.#encoding);
    this.#places = new Places(this.#redis);
    this.lives = { current: () => this.#places.lives(), accept: (lives) => this.#known.accept(lives) };
    this.#own = own;
  }

  describe(): SourceDescription {
    return { kind: 'redis', layout: this.#layout.name, location: this.#location };
  }

  /** Of several servers that one's which is furthest from ours, so that whoever bounds the difference sees the worst. */
  async now(): Promise<number> {
    const times = (await this.#redis.onMasters(CLOCK, [])).map(({ reply }) => Number(reply));
    const off = (time: number): number => Math.abs(time - Date.now());
    const [time] = times.toSorted((a, b) => off(b) - off(a));
    if (time === undefined) throw new WherryError('source_unavailable', 'no server of the source is known');
    return time;
  }

  partitions(): Promise<readonly SourcePartition[]> {
    return this.#places.partitions();
  }

  /**
   * `source_cursor_lost` when the server is another process than the one that gave the cursor, since cursors depend on its
   * hash seed, when it has become a replica, and when slots came to it or went: sessions of those may lie on either node.
   */
  async scan(partition: SourcePartition, cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage> {
    const keys = new Set<string>();
    let at = cursor ?? '0';
    if (!/^\d+$/.test(at)) throw lost();
    const address = await this.#places.addressOf(partition.id);
    for (let step = 0; step < PAGE_STEPS && keys.size * 2 < limit; step++) {
      signal?.throwIfAborted();
      const page = await this.#step(address, at, limit);
      if (page?.incarnation !== partition.incarnation) throw lost();
      for (const key of page.keys) if (this.#isSession(key)) keys.add(key);
      at = page.next;
      if (at === '0') break;
    }
    signal?.throwIfAborted();
    const found = await this.#read([...keys], this.#known.accepted);
    return {
      sessions: found.filter((session) => session !== undefined && !session.ended) as SourceSession[],
      next: at === '0' ? null : at,
    };
  }

  /** Single ones of a turn of the event loop are read by one script, where all keys lie together: alone each costs the server three times as much. */
  async get(rawIds: readonly string[]): Promise<readonly (SourceSession | undefined)[]> {
    const { accepted } = this.#known;
    const [only, ...others] = rawIds;
    if (only !== undefined && others.length === 0 && !this.#sharded)
      return [await this.#lookUps.add({ key: this.#prefix + only, accepted })];
    return this.#read(
      rawIds.map((rawId) => this.#prefix + rawId),
      accepted,
    );
  }

  /** What was asked for under other lives is read, and refused, by itself. */
  async #lookUp(lookUps: readonly LookUp[]): Promise<readonly Promise<SourceSession | undefined>[]> {
    const answers = new Map<LookUp, Promise<SourceSession | undefined>>();
    for (const [accepted, together] of Map.groupBy(lookUps, (lookUp) => lookUp.accepted)) {
      const keys = together.map(({ key }) => key);
      const read = this.#read(keys, accepted);
      for (const [index, lookUp] of together.entries())
        answers.set(
          lookUp,
          read.then((sessions) => sessions[index]),
        );
    }
    return lookUps.map((lookUp) => answers.get(lookUp) as Promise<SourceSession | undefined>);
  }

  async count(): Promise<number> {
    const addresses = (await this.#redis.onMasters(KEYS, [])).map(({ address }) => address);
    const counts = await Promise.all(addresses.map((address) => this.#countAt(address)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Exact up to some ten thousand keys; beyond that the share of sessions in a sample of all keys. */
  async #countAt(address: string): Promise<number> {
    let seen = 0;
    const sessions = new Set<string>();
    for (let at = '0'; seen < COUNT_SAMPLE;) {
      const page = await this.#step(address, at, 5000, '*');
      if (page === undefined) throw new WherryError('source_unavailable', 'the nodes of the Redis Cluster have changed');
      seen += page.keys.length;
      for (const key of page.keys) if (key.startsWith(this.#prefix) && this.#isSession(key)) sessions.add(key);
      at = page.next;
      if (at === '0') return sessions.size;
    }
    const [keys] = await this.#redis.onMasters(KEYS, [], address);
    return Math.round((Number(keys?.reply) * sessions.size) / seen);
  }

  async save(rawId: string, value: string, ttlMs: number | null, epoch: number, identity?: SaveIdentity): Promise<SourceSave> {
    const marks = [identity?.mark ?? '', identity?.over === undefined ? '' : `=${identity.over}`];
    return saveOf(await this.#change(this.#layout.scripts.save, rawId, [value, checkLife(ttlMs), String(epoch), this.#margin, ...marks]));
  }

  async touch(rawId: string, ttlMs: number | null, epoch: number): Promise<SourceTouch> {
    return touchOf(await this.#change(this.#layout.scripts.touch, rawId, [checkLife(ttlMs), String(epoch), this.#margin]));
  }

  async end(rawId: string, keepMs: number, epoch: number): Promise<void> {
    await this.#change(this.#layout.scripts.end, rawId, [checkLife(keepMs), String(epoch)]);
  }

  async put(rawId: string, value: string, expireTime: number | null, { epoch, n }: SessionVersion): Promise<SourceWrite> {
    return writeOf(
      await this.#change(this.#layout.scripts.put, rawId, [value, checkExpiry(expireTime), String(epoch), String(n), this.#margin]),
    );
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }

  async #change(script: string, rawId: string, args: readonly string[]): Promise<unknown> {
    const key = this.#prefix + rawId;
    if (!this.#isSession(key)) throw new WherryError('source_refused', 'the id is the name of a key that holds versions');
    return this.#bound(script, [key, companionKey(key, this.#encoding)], args, this.#known.accepted);
  }

  /** Runs a script on keys of one slot, where the server has a life that is accepted. */
  async #bound(script: string, keys: readonly string[], args: readonly string[], accepted: AcceptedLives): Promise<unknown> {
    const slot = this.#slotOf(keys[0] ?? '');
    return this.#known.run(slot, accepted, (life) => this.#redis.script(script, keys, [...args, life]));
  }

  /** Outside of a cluster all keys lie together. */
  #slotOf(key: string): number {
    return this.#sharded ? clusterSlot(key, this.#encoding) : 0;
  }

  /** Only with an empty prefix may a key be a companion too. */
  #isSession(key: string): boolean {
    if (!this.#layout.isId(key.slice(this.#prefix.length))) return false;
    return this.#prefix !== '' || !isCompanion(key, this.#encoding);
  }

  async #step(
    address: string | undefined,
    cursor: string,
    count: number,
    pattern = keyPattern(this.#prefix),
  ): Promise<{ incarnation: string; next: string; keys: string[] } | undefined> {
    if (address === undefined) return undefined;
    const [page] = await this.#redis.onMasters(SCAN, [cursor, pattern, String(count)], address);
    if (page === undefined) return undefined;
    const [incarnation, next, keys] = page.reply as [string, string, string[]];
    return { incarnation, next, keys };
  }

  /** Reads sessions by key, in the order asked: in a cluster each slot by itself, several hundred sessions at a time. */
  async #read(keys: readonly string[], accepted: AcceptedLives): Promise<(SourceSession | undefined)[]> {
    const sessions: (SourceSession | undefined)[] = [];
    for (let from = 0; from < keys.length; from += READ_BATCH) {
      const batch = keys.slice(from, from + READ_BATCH);
      const slots = Map.groupBy(batch.keys(), (index) => this.#slotOf(batch[index] ?? ''));
      const found: (SourceSession | undefined)[] = [];
      await Promise.all(
        [...slots.values()].map(async (indexes) => {
          const read = await this.#readSlot(
            indexes.map((index) => batch[index] ?? ''),
            accepted,
          );
          for (const [i, index] of indexes.entries()) found[index] = read[i];
        }),
      );
      for (let i = 0; i < batch.length; i++) sessions.push(found[i]);
    }
    return sessions;
  }

  /** A reply holds as many as fit; the rest is asked for again. */
  async #readSlot(keys: readonly string[], accepted: AcceptedLives): Promise<(SourceSession | undefined)[]> {
    const sessions: (SourceSession | undefined)[] = [];
    while (sessions.length < keys.length) {
      const rest = keys.slice(sessions.length);
      const companions = rest.map((key) => companionKey(key, this.#encoding));
      const reply = await this.#bound(this.#layout.scripts.read, [...rest, ...companions], [String(READ_BYTES)], accepted);
      sessions.push(...readSessions(reply, rest, this.#prefix.length));
    }
    return sessions;
  }
}

function lost(): WherryError {
  return new WherryError('source_cursor_lost', 'Redis is another process than the one that gave the cursor; the partition starts again');
}
