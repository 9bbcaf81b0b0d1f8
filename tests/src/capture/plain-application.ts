import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp, openStore } from '@wherry/legacy-app';
import { ExpressCookie } from '@wherry/sessions';
import { openLegacyStore } from '../support/legacy-store.ts';

const SECRET = 'a secret for tests';

/** The legacy application as it always was: express-session on connect-redis, and nothing of ours in it. */
export interface PlainApplication {
  logIn(n: number): Promise<string>;
  visit(cookie: string): Promise<number>;
  addToCart(cookie: string, item: string): Promise<number>;
  /** Gives the session another id; answers the new cookie. */
  rotate(cookie: string): Promise<string>;
  logOut(cookie: string): Promise<void>;
  rawId(cookie: string): string;
  /** What the application does within a request: it reads a session, and saves it changed later. */
  load(rawId: string): Promise<Record<string, unknown> | undefined>;
  save(rawId: string, session: object): Promise<void>;
  close(): Promise<void>;
}

/** Starts it on loopback. */
export async function startPlain(redisUrl: string, keyPrefix: string): Promise<PlainApplication> {
  const config = {
    port: 0,
    host: '127.0.0.1',
    source: { kind: 'redis' as const, url: redisUrl },
    secret: SECRET,
    idleMs: 600_000,
    keyPrefix,
    trustGateway: false,
    instrumented: false,
  };
  const { store, close } = await openStore(config);
  const raw = await openLegacyStore(config.source, keyPrefix);
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
  const cookieOf = (response: Response): string => response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  return {
    logIn: async (n) => cookieOf(await send('/login', undefined, { name: `user${n}`, password: `pw-user${n}` })),
    visit: async (cookie) => (await send('/me', cookie)).status,
    addToCart: async (cookie, item) => (await send('/cart', cookie, { item })).status,
    rotate: async (cookie) => cookieOf(await send('/rotate', cookie, {})),
    logOut: async (cookie) => void (await send('/logout', cookie, {})),
    rawId: (cookie) => {
      const reading = cookies.read(cookie);
      if (reading.outcome !== 'verified') throw new Error('the cookie is not the application’s');
      return reading.rawId;
    },
    load: async (rawId) => (await raw.get(rawId)) as Record<string, unknown> | undefined,
    save: (rawId, session) => raw.set(rawId, session),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      await raw.close();
      await close();
    },
  };
}
