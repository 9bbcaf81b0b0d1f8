import { WherryError, type Sealer } from '@wherry/core';
import { compareVersions, type SessionVersion } from '../record.ts';
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
import { decodeCursor, encodeCursor } from '../source/cursor.ts';
import { checkExpiry, checkLife } from '../source/life.ts';
import { endChange, lives, notEnded, putChange, saveChange, touchChange } from './change.ts';
import type { SessionCipher } from './cipher.ts';
import { SessionCollection } from './collection.ts';
import { openMongoClient, type MongoClientLike, type OwnMongoClient } from './connection.ts';
import { storedSessionOf, versionOf, type SessionDocument } from './document.ts';
import { SessionPayload, layoutOf, type PayloadLayout } from './payload.ts';
import { afterAll, idRanges } from './ranges.ts';

export type { MongoClientLike };

/** Options of {@link createMongoSource}: a client or a URL is needed. */
export interface MongoSourceOptions {
  /** The application's own client of the package `mongodb`; it is not closed here. */
  readonly client?: MongoClientLike | Promise<MongoClientLike>;
  /** `mongodb://` or `mongodb+srv://`; a client is opened and closed here. */
  readonly url?: string;
  /** Default: the one that the address names. */
  readonly database?: string;
  /** Default `sessions`, as connect-mongo has it. */
  readonly collection?: string;
  /** What the ids of the documents start with; default ''. */
  readonly prefix?: string;
  /** How the application keeps what is in a session. Default: as it has kept what is there; of an empty collection, text. */
  readonly layout?: PayloadLayout;
  /** How the application encrypts its sessions. */
  readonly cipher?: SessionCipher;
  /** Seals scan cursors, which name a session's id, for a checkpoint. Without it they are in the clear. */
  readonly sealer?: Sealer;
  /** For people: where it is, without credentials. Known by itself where `url` is given. */
  readonly location?: string;
  /** How long one operation may take, ms; default 5000. */
  readonly timeoutMs?: number;
}

/** The longest id that an index takes, in bytes (MongoDB before 4.2: 1024 with its overhead). */
const MAX_ID_BYTES = 1000;
/** How often a change starts again because the document changed between its condition and the reading of why it failed. */
const CHANGE_ATTEMPTS = 20;
/** Sessions counted before the server's own figure stands in. */
const COUNT_LIMIT = 20_000;

/**
 * Sessions in the layout of connect-mongo 3 to 6: document `{_id, session, expires}`, `expires` decides, a document
 * without it never expires. Reads and writes are those of a majority, at the primary.
 */
export function createMongoSource(options: MongoSourceOptions): SourceStore {
  const { client, url, timeoutMs = 5000 } = options;
  if (client !== undefined) return new MongoSource(options, Promise.resolve(client), undefined);
  if (url === undefined) throw new WherryError('config_invalid', 'a MongoDB source needs a client or a URL');
  const own = openMongoClient(url, timeoutMs);
  return new MongoSource(options, Promise.resolve(own.client), own);
}

class MongoSource implements SourceStore {
  readonly #collection: SessionCollection;
  readonly #own: OwnMongoClient | undefined;
  readonly #options: MongoSourceOptions;
  readonly #prefix: string;
  readonly #payload: SessionPayload;
  #layout: PayloadLayout | undefined;
  #removed = false;

  constructor(options: MongoSourceOptions, client: Promise<MongoClientLike>, own: OwnMongoClient | undefined) {
    const { database, collection: name = 'sessions', timeoutMs = 5000 } = options;
    this.#options = options;
    this.#own = own;
    this.#prefix = options.prefix ?? '';
    this.#layout = options.layout;
    this.#payload = new SessionPayload(options.cipher);
    this.#collection = new SessionCollection({ client, database, name, timeoutMs });
  }

  describe(): SourceDescription {
    const { database, collection = 'sessions', location } = this.#options;
    const where = [...(this.#own === undefined ? [] : [this.#own.hosts]), ...(database === undefined ? [] : [database]), collection];
    return { kind: 'mongodb', layout: 'connect-mongo', location: location ?? where.join('/') };
  }

  now(): Promise<number> {
    return this.#collection.now();
  }

  async partitions(): Promise<readonly SourcePartition[]> {
    const incarnation = await this.#collection.hello();
    return idRanges(this.#prefix).map(({ id }) => ({ id, incarnation }));
  }

  /** `source_cursor_lost` when another primary answers than the one that gave the cursor: what it had, this one may have lost. */
  async scan(partition: SourcePartition, cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage> {
    signal?.throwIfAborted();
    const range = idRanges(this.#prefix).find(({ id }) => id === partition.id);
    if (range === undefined) throw lost();
    const last = cursor === null ? undefined : decodeCursor(cursor, 'mongodb', this.#options.sealer);
    if (last !== undefined && !last.startsWith(this.#prefix)) throw lost();
    const bounds = { ...(last === undefined ? { $gte: range.from } : { $gt: last }), ...(range.to === undefined ? {} : { $lt: range.to }) };
    const { documents, more } = await this.#collection.page(bounds, Math.max(1, limit));
    // Asked after the reading: had the primary changed before or in its middle, it would be another one now as well.
    if ((await this.#collection.hello()) !== partition.incarnation) throw lost();
    signal?.throwIfAborted();
    const readAt = await this.now();
    const read = await Promise.all(documents.map((document) => this.#sessionOf(document, readAt)));
    const end = more ? documents.at(-1)?._id : undefined;
    return {
      sessions: read.filter((session) => session !== undefined && !session.ended) as SourceSession[],
      next: end === undefined ? null : encodeCursor(end, 'mongodb', this.#options.sealer),
    };
  }

  async get(rawIds: readonly string[]): Promise<readonly (SourceSession | undefined)[]> {
    const ids = rawIds.map((rawId) => this.#prefix + rawId);
    const documents = await this.#collection.read([...new Set(ids.filter(isId))]);
    const readAt = await this.now();
    return Promise.all(ids.map((id) => this.#sessionOf(documents.get(id), readAt)));
  }

  /** Exact for some ten thousand; beyond them the server's own figure for the collection, tombstones and what has run out included. */
  async count(): Promise<number> {
    const to = afterAll(this.#prefix);
    const ids = { _id: { $gte: this.#prefix, ...(to === undefined ? {} : { $lt: to }) } };
    const now = await this.now();
    const counted = await this.#collection.count({ $and: [ids, lives(now), notEnded(now)] }, COUNT_LIMIT);
    return counted < COUNT_LIMIT ? counted : Math.max(counted, await this.#collection.size());
  }

  async save(rawId: string, value: string, ttlMs: number | null, epoch: number, identity?: SaveIdentity): Promise<SourceSave> {
    const life = checkLife(ttlMs);
    const stored = await this.#payload.write(value, await this.#layoutToWrite());
    return this.#change<SourceSave>(rawId, async (id, now) => {
      const expireTime = life === '' ? null : now + Number(life);
      const changed = await this.#collection.changeAndRead(id, saveChange(stored, expireTime, { now, epoch }, identity));
      if (changed !== undefined) return { outcome: 'applied', version: versionOf(changed), expireTime };
      return async (document, at) => {
        const version = versionOf(document);
        if (version.epoch > epoch) return { outcome: 'older', version };
        const found = storedSessionOf(document, at);
        if (identity === undefined || found === undefined) return undefined;
        const mark = document?.wi ?? '';
        if (mark === identity.mark || mark === identity.over) return undefined;
        return { outcome: 'differs', mark, value: await this.#payload.read(found.session) };
      };
    });
  }

  async put(rawId: string, value: string, expireTime: number | null, version: SessionVersion): Promise<SourceWrite> {
    const expiry = checkExpiry(expireTime);
    const ends = expiry === '' ? null : Number(expiry);
    const stored = await this.#payload.write(value, await this.#layoutToWrite());
    return this.#change<SourceWrite>(rawId, async (id, now) => {
      if (await this.#collection.change(id, putChange(stored, ends, version, now)))
        return { outcome: 'applied', version, expireTime: ends };
      return async (document, at) => {
        const known = versionOf(document);
        const ahead = compareVersions(version, known);
        const over = storedSessionOf(document, at) !== undefined || document?.ended !== undefined;
        return ahead < 0 || (ahead === 0 && over) ? { outcome: 'older', version: known } : undefined;
      };
    });
  }

  async touch(rawId: string, ttlMs: number | null, epoch: number): Promise<SourceTouch> {
    const life = checkLife(ttlMs);
    return this.#change<SourceTouch>(rawId, async (id, now) => {
      const expireTime = life === '' ? null : now + Number(life);
      if (await this.#collection.change(id, touchChange(expireTime, { now, epoch }))) return { outcome: 'applied', expireTime };
      return async (document, at) => {
        if (storedSessionOf(document, at) === undefined) return { outcome: 'missing' };
        return versionOf(document).epoch > epoch ? { outcome: 'older' } : undefined;
      };
    });
  }

  async end(rawId: string, keepMs: number, epoch: number): Promise<void> {
    const id = this.#id(rawId);
    const keep = Number(checkLife(keepMs));
    this.#letTombstonesGo();
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt++) {
      if (await this.#collection.change(id, endChange((await this.now()) + keep, epoch))) return;
    }
    throw contended();
  }

  async close(): Promise<void> {
    await this.#own?.client.close();
  }

  /**
   * Makes a change, or reads why its condition did not hold. When the document no longer looks like a reason, somebody
   * has changed it in between: the change starts again.
   */
  async #change<T>(
    rawId: string,
    attempt: (id: string, now: number) => Promise<T | Refusal<T>>,
  ): Promise<T | { readonly outcome: 'ended' }> {
    const id = this.#id(rawId);
    for (let i = 0; i < CHANGE_ATTEMPTS; i++) {
      const result = await attempt(id, await this.now());
      if (typeof result !== 'function') return result;
      const document = (await this.#collection.read([id])).get(id);
      const at = await this.now();
      if (storedSessionOf(document, at)?.ended === true) return { outcome: 'ended' };
      const reason = await (result as Refusal<T>)(document, at);
      if (reason !== undefined) return reason;
    }
    throw contended();
  }

  /** What is there tells how it is to be written; it is looked at until something is. */
  async #layoutToWrite(): Promise<PayloadLayout> {
    if (this.#layout !== undefined || this.#options.cipher !== undefined) return this.#layout ?? 'text';
    this.#layout = layoutOf(await this.#collection.newest());
    return this.#layout ?? 'text';
  }

  async #sessionOf(document: SessionDocument | undefined, readAt: number): Promise<SourceSession | undefined> {
    const found = storedSessionOf(document, readAt);
    if (document === undefined || found === undefined) return undefined;
    const { session, ...facts } = found;
    return {
      rawId: document._id.slice(this.#prefix.length),
      value: found.ended ? '' : await this.#payload.read(session),
      readAt,
      ...facts,
    };
  }

  /** Nobody waits for the index: a server without it, or a user who may not make it, keeps tombstones for longer. */
  #letTombstonesGo(): void {
    if (this.#removed) return;
    this.#removed = true;
    this.#collection.removeEndedByIndex().catch(() => (this.#removed = false));
  }

  #id(rawId: string): string {
    const id = this.#prefix + rawId;
    if (!isId(id)) throw new WherryError('bad_request', `a session id has 1 to ${MAX_ID_BYTES} bytes of well-formed text`);
    return id;
  }
}

/** Tells by a document why a change was refused; undefined: it is no reason. */
type Refusal<T> = (document: SessionDocument | undefined, at: number) => Promise<T | undefined>;

/** Half surrogate pairs would be stored as another id. */
function isId(id: string): boolean {
  return id !== '' && id.isWellFormed() && Buffer.byteLength(id) <= MAX_ID_BYTES;
}

function lost(): WherryError {
  return new WherryError('source_cursor_lost', 'another primary answers than the one that gave the cursor; the partition starts again');
}

function contended(): WherryError {
  return new WherryError('source_unavailable', 'the session is being changed by too many writers at once');
}
