import { randomBytes } from 'node:crypto';
import { MongoStore } from 'connect-mongo';
import type session from 'express-session';
import { MongoClient } from 'mongodb';
import type { LegacyPeer } from './source-fixture.ts';

/** Options of the real store that decide about its layout. */
export type ConnectMongoOptions = Partial<Parameters<typeof MongoStore.create>[0]>;

/** A collection of its own, and the real connect-mongo on it. */
export interface MongoSessionStore {
  readonly client: MongoClient;
  readonly database: string;
  /** The real store, for express-session. */
  readonly expressStore: session.Store;
  /** The same with promises. */
  readonly store: LegacyPeer;
  drop(): Promise<void>;
}

/** Opens connect-mongo on a database of its own of the server at `url`. It makes no index: not every server knows how. */
export async function createMongoSessionStore(url: string, options: ConnectMongoOptions = {}): Promise<MongoSessionStore> {
  const database = `wherry_${randomBytes(6).toString('hex')}`;
  const client = await MongoClient.connect(url);
  const expressStore = MongoStore.create({ client, dbName: database, ttl: 86_400, autoRemove: 'disabled', ...options });
  const drop = async (): Promise<void> => {
    await client.db(database).dropDatabase();
    await client.close();
  };
  return { client, database, expressStore, store: promised(expressStore), drop };
}

function promised(store: session.Store): LegacyPeer {
  const call = <T>(method: 'set' | 'touch' | 'destroy' | 'get', ...args: readonly unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      const callback = (error: unknown, result: T): void => (error ? reject(error) : resolve(result));
      (store[method] as (...all: unknown[]) => void).call(store, ...args, callback);
    });
  return {
    get: (rawId) => call('get', rawId),
    set: (rawId, value) => call('set', rawId, value),
    // It says so by an error where there is nothing to touch, as no other store does.
    touch: (rawId, value) =>
      call<void>('touch', rawId, value).catch((error: unknown) => {
        if (!(error instanceof Error && error.message.startsWith('Unable to find the session'))) throw error;
      }),
    destroy: (rawId) => call('destroy', rawId),
  };
}
