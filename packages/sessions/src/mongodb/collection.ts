import {
  BSON,
  ReadConcern,
  ReadPreference,
  WriteConcern,
  type Collection,
  type Db,
  type Document,
  type Filter,
  type FindOptions,
} from 'mongodb';
import { WherryError } from '@wherry/core';
import type { Change } from './change.ts';
import type { MongoClientLike } from './connection.ts';
import type { SessionDocument } from './document.ts';
import { asSourceError, isDuplicate, isUnknownToServer } from './errors.ts';
import { ServerClock } from './server-clock.ts';
import { TYPES_KEPT } from './stored-text.ts';

/** Where the documents are, and how long one operation may take. */
export interface CollectionOptions {
  readonly client: Promise<MongoClientLike>;
  /** undefined: the one that the client's address names. */
  readonly database: string | undefined;
  readonly name: string;
  readonly timeoutMs: number;
}

/** Most documents of one `$in`. */
const READ_BATCH = 500;
/** Most bytes of documents in one page, beyond its first one. */
const PAGE_BYTES = 8 * 1024 * 1024;
const ENDED_INDEX = 'wherry_ended';

const CONCERNS = {
  // What a majority has cannot be rolled back by a failover: neither what was read here nor what was acknowledged.
  readConcern: new ReadConcern('majority'),
  writeConcern: new WriteConcern('majority'),
  readPreference: ReadPreference.primary,
};

/** Whatever the application's client is set to: the driver's own look at answers and errors needs plain numbers. */
const PLAIN_NUMBERS = { promoteValues: true, promoteLongs: true, useBigInt64: false, raw: false } as const;

interface Hello extends Document {
  readonly localTime: Date;
  readonly setName?: string;
  readonly setVersion?: number;
  readonly electionId?: { toString(): string };
  readonly msg?: string;
  readonly topologyVersion?: { readonly processId?: { toString(): string } };
}

/** The operations on one collection: majority reads and writes at the primary, bounded in time, errors with codes. */
export class SessionCollection {
  readonly clock: ServerClock = new ServerClock();
  readonly #options: CollectionOptions;
  readonly #ready: Promise<{ readonly db: Db; readonly documents: Collection<SessionDocument> }>;

  constructor(options: CollectionOptions) {
    this.#options = options;
    this.#ready = options.client.then((client) => {
      const db = client.db(options.database);
      return { db, documents: db.collection<SessionDocument>(options.name, { ...CONCERNS, ...PLAIN_NUMBERS }) };
    });
    // Who calls is told; a failure while nobody calls is no crash.
    this.#ready.catch(() => undefined);
  }

  /** The server's clock, epoch ms. */
  async now(): Promise<number> {
    if (this.clock.isStale) await this.hello();
    return this.clock.now();
  }

  /**
   * Asks the primary who it is. The answer changes with every election and every new configuration of a replica set,
   * and with every start of a server that stands alone. Behind a router (mongos) there is no such sign.
   */
  async hello(): Promise<string> {
    return this.#bounded(async ({ db }) => {
      const sentAt = performance.now();
      const hello = (await db.command({ hello: 1 }, { readPreference: ReadPreference.primary })) as Hello;
      this.clock.learn(hello.localTime.getTime(), sentAt);
      if (hello.msg === 'isdbgrid') return 'mongos';
      if (hello.setName === undefined) return `alone/${hello.topologyVersion?.processId?.toString() ?? ''}`;
      return `${hello.setName}/${hello.setVersion ?? ''}/${hello.electionId?.toString() ?? ''}`;
    });
  }

  /** Documents by id, in no order. */
  async read(ids: readonly string[]): Promise<Map<string, SessionDocument>> {
    const found = new Map<string, SessionDocument>();
    for (let i = 0; i < ids.length; i += READ_BATCH) {
      const [first = '', ...others] = ids.slice(i, i + READ_BATCH);
      for (const document of await this.#find({ _id: others.length === 0 ? first : { $in: [first, ...others] } }, {}))
        found.set(document._id, document);
    }
    return found;
  }

  /** The first documents with ids of `range` in their order: `limit` of them, or fewer where they are large; `more` says that others follow. */
  async page(range: { readonly $gt?: string; readonly $gte?: string; readonly $lt?: string }, limit: number): Promise<DocumentPage> {
    return this.#bounded(async ({ documents }) => {
      const found: SessionDocument[] = [];
      const filter: Filter<SessionDocument> = { _id: range };
      await using cursor = documents.find(filter, {
        ...this.#limits(),
        sort: { _id: 1 },
        limit: limit + 1,
        batchSize: limit + 1,
        raw: true,
      });
      let bytes = 0;
      for await (const raw of cursor) {
        if (found.length === limit || (found.length > 0 && bytes > PAGE_BYTES)) return { documents: found, more: true };
        found.push(documentOf(raw));
        bytes += (raw as unknown as Uint8Array).length;
      }
      return { documents: found, more: false };
    });
  }

  /** The session of those stored last, by their expiry; undefined: there is none. */
  async newest(): Promise<unknown> {
    const filter: Filter<SessionDocument> = { session: { $ne: null }, expires: { $type: 'date' } };
    const [found] = await this.#find(filter, { sort: { expires: -1 }, limit: 1 });
    return found?.session;
  }

  /** How many there are of those that match, counted up to `limit`. */
  async count(filter: Document, limit: number): Promise<number> {
    return this.#bounded(({ documents }) => documents.countDocuments(filter as Filter<SessionDocument>, { ...this.#limits(), limit }));
  }

  /** The server's own figure for all documents. */
  async size(): Promise<number> {
    return this.#bounded(({ documents }) => documents.estimatedDocumentCount(this.#limits()));
  }

  /** Makes a change; false: its condition does not hold. */
  async change(id: string, change: Change): Promise<boolean> {
    return this.#changed(async ({ documents }) => {
      const { matchedCount, upsertedCount } = await documents.updateOne(filterOf(id, change), change.update, { upsert: change.insert });
      return matchedCount + upsertedCount > 0 ? true : undefined;
    }).then((changed) => changed ?? false);
  }

  /** Makes a change and answers the document as it is afterwards; undefined: its condition does not hold. */
  async changeAndRead(id: string, change: Change): Promise<SessionDocument | undefined> {
    return this.#changed(async ({ documents }) => {
      const options = { upsert: change.insert, returnDocument: 'after', includeResultMetadata: false } as const;
      return (await documents.findOneAndUpdate(filterOf(id, change), change.update, options)) ?? undefined;
    });
  }

  /** Lets the server remove tombstones by itself. False: it does not know how. */
  async removeEndedByIndex(): Promise<boolean> {
    try {
      await this.#bounded(({ documents }) =>
        documents.createIndex({ ended: 1 }, { name: ENDED_INDEX, expireAfterSeconds: 0, sparse: true }),
      );
      return true;
    } catch (error) {
      if (error instanceof WherryError && isUnknownToServer(error.cause)) return false;
      throw error;
    }
  }

  /** An upsert whose condition does not hold meets its own id; so does one that another writer was ahead of, and which starts again. */
  async #changed<T>(work: (ready: { readonly documents: Collection<SessionDocument> }) => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await this.#bounded(work);
    } catch (error) {
      if (error instanceof WherryError && isDuplicate(error.cause)) return undefined;
      throw error;
    }
  }

  async #find(filter: Filter<SessionDocument>, options: FindOptions): Promise<readonly SessionDocument[]> {
    const raw = await this.#bounded(({ documents }) => documents.find(filter, { ...this.#limits(), ...options, raw: true }).toArray());
    return raw.map(documentOf);
  }

  #limits(): { readonly maxTimeMS: number } {
    return { maxTimeMS: this.#options.timeoutMs };
  }

  /** The driver waits for a server for as long as its options say, which are the application's: the caller is told earlier. */
  async #bounded<T>(work: (ready: { readonly db: Db; readonly documents: Collection<SessionDocument> }) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new WherryError('source_unavailable', `MongoDB has not answered within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      return await Promise.race([this.#ready.then(work), late.promise]);
    } catch (error) {
      throw asSourceError(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A part of a scan. */
export interface DocumentPage {
  readonly documents: readonly SessionDocument[];
  readonly more: boolean;
}

function filterOf(id: string, { condition }: Change): Filter<SessionDocument> {
  return { _id: id, ...condition };
}

/** A document as its bytes say, with every type kept. */
function documentOf(raw: unknown): SessionDocument {
  return BSON.deserialize(raw as Uint8Array, TYPES_KEPT) as SessionDocument;
}
