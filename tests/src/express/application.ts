import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp, openStore, type Config, type SourceLocation } from '@wherry/legacy-app';
import { TEST_IDENTITY, type Workbench } from '@wherry/migration/testing';
import { ExpressCookie, sourceRefKeyOf, sourceRefKeyText } from '@wherry/sessions';
import { connectWherry, wrapStore } from '@wherry/sessions/express';

const SECRET = 'a secret for tests';
const IDLE_MS = 600_000;

/** Item of a cart whose saving is held up: a slow request. */
export const SLOW_ITEM = 'slow';

/** The legacy application, its store wrapped, on loopback. */
export interface WrappedApplication {
  /** Sends a request; a body makes it a POST. */
  send(path: string, cookie?: string, body?: object): Promise<Response>;
  /** Signs user `n` in; answers the cookie. */
  logIn(n: number): Promise<string>;
  /** The id that a cookie carries. */
  rawId(cookie: string): string;
  /** Resolves when a slow request has come to its save. */
  slowArrived(): Promise<void>;
  releaseSlow(): void;
  /** As an application wrote it that knows nothing of the migration. */
  writeRaw(rawId: string, session: object): Promise<void>;
  close(): Promise<void>;
}

/** Starts it on `location` with the keys of `bench`. */
export async function startWrapped(bench: Workbench, location: SourceLocation, keyPrefix: string): Promise<WrappedApplication> {
  const config: Config = {
    port: 0,
    host: '127.0.0.1',
    source: location,
    secret: SECRET,
    idleMs: IDLE_MS,
    keyPrefix,
    trustGateway: false,
    instrumented: false,
  };
  const theirs = await openStore(config);
  const wherry = await connectWherry({
    controlUrl: bench.controlUrl,
    shardUrls: bench.shardUrls,
    sourceRefKey: sourceRefKeyText(sourceRefKeyOf(bench.masterKey)),
    identity: TEST_IDENTITY,
  });
  const store = wrapStore(theirs.store, wherry);
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const set = store.set.bind(store);
  store.set = (sid, session, callback) => {
    if (session.cart?.at(-1) !== SLOW_ITEM) {
      set(sid, session, callback);
      return;
    }
    arrived.resolve();
    void released.promise.then(() => set(sid, session, callback));
  };
  const server = createServer(createApp(store, config));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cookies = new ExpressCookie({ secrets: [SECRET] });
  const send = (path: string, cookie?: string, body?: object): Promise<Response> =>
    fetch(base + path, {
      headers: { 'content-type': 'application/json', ...(cookie === undefined ? {} : { cookie }) },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
  return {
    send,
    logIn: async (n) => cookieOf(await send('/login', undefined, { name: `user${n}`, password: `pw-user${n}` })),
    rawId: (cookie) => {
      const reading = cookies.read(cookie);
      if (reading.outcome !== 'verified') throw new Error('the cookie is not the application’s');
      return reading.rawId;
    },
    slowArrived: () => arrived.promise,
    releaseSlow: released.resolve,
    writeRaw: (rawId, session) =>
      new Promise((resolve, reject) => {
        theirs.store.set(rawId, session as Parameters<typeof set>[1], (error: unknown) => (error ? reject(error) : resolve()));
      }),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      await wherry.close();
      await theirs.close();
    },
  };
}

/** The session cookie that an answer sets. */
export function cookieOf(response: Response): string {
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}
