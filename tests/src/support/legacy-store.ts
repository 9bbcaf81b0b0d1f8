import { openStore, type SourceLocation } from '@wherry/legacy-app';

/** The legacy application's own store, with promises. */
export interface LegacyStore {
  get(rawId: string): Promise<object | undefined>;
  set(rawId: string, session: object): Promise<void>;
  close(): Promise<void>;
}

/** Opens connect-redis or connect-dynamodb (which makes its table) on `source`, not wrapped. */
export async function openLegacyStore(source: SourceLocation, keyPrefix: string): Promise<LegacyStore> {
  const { store, close } = await openStore({
    port: 0,
    host: '127.0.0.1',
    source,
    secret: 'a secret for tests',
    idleMs: 3_600_000,
    keyPrefix,
    trustGateway: false,
    instrumented: false,
  });
  return {
    get: (rawId) =>
      new Promise((resolve, reject) => {
        store.get(rawId, (error: unknown, session) => (error ? reject(error) : resolve(session ?? undefined)));
      }),
    set: (rawId, session) =>
      new Promise((resolve, reject) => {
        store.set(rawId, session as Parameters<typeof store.set>[1], (error: unknown) => (error ? reject(error) : resolve()));
      }),
    close,
  };
}
