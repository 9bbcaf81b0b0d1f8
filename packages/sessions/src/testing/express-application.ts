import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type Request, type Response } from 'express';
import session from 'express-session';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ExpressCookie } from '../legacy/express/express-cookie.ts';
import { expressJsonDecoder } from '../legacy/express/express-json.ts';
import type { DecodedSession } from '../source/decoder.ts';
import type { SourceStore } from '../source/contract.ts';
import { HOUR, expectLife, newRawId, present, read } from './source-fixture.ts';

/** The real store of an application, and a source on the same data. */
export interface ApplicationFixture {
  readonly store: session.Store;
  readonly source: SourceStore;
  dispose(): Promise<void>;
}

interface User {
  readonly id: number;
  readonly name: string;
  readonly roles: readonly string[];
  readonly note: string;
}

const SECRETS = ['current secret', 'former secret'];
const IDLE_MS = 1_800_000;
const ada: User = { id: 42, name: 'Ada "😀" O\'Neill', roles: ['staff', 'orders:read'], note: 'two\nlines\u0000' };
const decode = expressJsonDecoder({ identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] } });
const cookies = new ExpressCookie({ secrets: SECRETS });

/**
 * A running Express application with express-session on its real store: what it writes over HTTP is read here, with
 * its cookie verified, and what is written here it takes for its own.
 */
export function describeExpressApplication(name: string, make: () => Promise<ApplicationFixture>): void {
  describe(`an Express application on ${name}`, () => {
    let fixture: ApplicationFixture;
    let application: Awaited<ReturnType<typeof startApplication>>;
    beforeAll(async () => {
      fixture = await make();
      application = await startApplication(fixture.store);
    });
    afterAll(async () => {
      await application.stop();
      await fixture.dispose();
    });

    test('its log-in is read: cookie, value, identity, expiry within a second', async () => {
      const before = await fixture.source.now();
      const { rawId } = await application.logIn(ada);
      const found = present(await read(fixture.source, rawId));
      expect(found).toMatchObject({ rawId, version: { epoch: 0, n: 0 }, ended: false });
      expect(decoded(found.value)).toEqual({
        userId: '42',
        username: ada.name,
        authorities: ada.roles,
        attributes: found.value,
        idleMs: IDLE_MS,
      });
      expectLife(found, before, IDLE_MS);
    });

    test('a request of it extends the session, and we see it', async () => {
      const { cookie, rawId } = await application.logIn(ada);
      await fixture.source.touch(rawId, 600_000, 0);
      const before = await fixture.source.now();
      expect(await application.whoAmI(cookie)).toEqual(ada);
      const found = present(await read(fixture.source, rawId));
      expectLife(found, before, IDLE_MS);
    });

    test('what is saved here it reads, and saves again', async () => {
      const { cookie, rawId } = await application.logIn(ada);
      const found = present(await read(fixture.source, rawId));
      const changed = JSON.stringify({ ...(JSON.parse(found.value) as object), user: { ...ada, roles: ['admin'] } });
      expect(await fixture.source.save(rawId, changed, IDLE_MS, 0)).toMatchObject({ outcome: 'applied' });
      expect(await application.whoAmI(cookie)).toEqual({ ...ada, roles: ['admin'] });
      await application.ask('/visit', cookie);
      expect(decoded(present(await read(fixture.source, rawId)).value).authorities).toEqual(['admin']);
    });

    test('a session and a cookie that were made here it takes for its own, under the former secret too', async () => {
      const { rawId } = await application.logIn(ada);
      const attributes = present(await read(fixture.source, rawId)).value;
      for (const secrets of [SECRETS, SECRETS.slice(1)]) {
        const put = newRawId();
        await fixture.source.put(put, attributes, (await fixture.source.now()) + IDLE_MS, { epoch: 3, n: 9 });
        expect(await application.whoAmI(new ExpressCookie({ secrets }).build(put))).toEqual(ada);
      }
    });

    test('what it destroys is absent, and what it regenerates lies under another id', async () => {
      const first = await application.logIn(ada);
      const rotated = await application.ask('/rotate', first.cookie);
      expect(rotated.rawId).not.toBe(first.rawId);
      const [old, fresh] = await fixture.source.get([first.rawId, present(rotated.rawId)]);
      expect(old).toBeUndefined();
      expect(decoded(present(fresh).value).userId).toBe('42');
      await application.ask('/logout', present(rotated.cookie));
      expect(await read(fixture.source, present(rotated.rawId))).toBeUndefined();
    });

    test('what is ended here it no longer knows', async () => {
      const { cookie, rawId } = await application.logIn(ada);
      await fixture.source.end(rawId, HOUR, 0);
      expect(await application.whoAmI(cookie)).toBeNull();
    });

    test('a hundred sessions of it are scanned and decoded', async () => {
      const users = Array.from({ length: 100 }, (_, i) => ({ ...ada, id: 1000 + i }));
      await Promise.all(users.map((user) => application.logIn(user)));
      const seen = new Set<string | null>();
      for (const partition of await fixture.source.partitions()) {
        for (let cursor: string | null = null; ;) {
          const page = await fixture.source.scan(partition, cursor, 30);
          for (const { value } of page.sessions) seen.add(decoded(value).userId);
          if ((cursor = page.next) === null) break;
        }
      }
      expect(users.filter(({ id }) => !seen.has(String(id)))).toEqual([]);
    });
  });
}

function decoded(value: string): DecodedSession {
  const result = decode(value);
  if (!result.ok) throw new Error(result.why.detail);
  return result.session;
}

/** The application as people have it, on loopback. */
async function startApplication(store: session.Store) {
  const app = express();
  app.use(express.json());
  app.use(session({ secret: SECRETS, store, resave: false, saveUninitialized: false, cookie: { maxAge: IDLE_MS } }));
  const attributes = (request: Request): { user?: User; visits?: number } => request.session as unknown as { user?: User; visits?: number };
  const logIn = (request: Request, response: Response, user: User | undefined): void =>
    void request.session.regenerate((error) => {
      if (user !== undefined) attributes(request).user = user;
      response.status(error ? 500 : 200).json({});
    });
  app.post('/login', (request, response) => logIn(request, response, request.body as User));
  app.get('/rotate', (request, response) => logIn(request, response, attributes(request).user));
  app.get('/me', (request, response) => void response.json(attributes(request).user ?? null));
  app.get('/visit', (request, response) => {
    attributes(request).visits = (attributes(request).visits ?? 0) + 1;
    response.json({});
  });
  app.get('/logout', (request, response) => void request.session.destroy((error) => response.status(error ? 500 : 200).json({})));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const ask = async (path: string, cookie?: string, body?: object) => {
    const response = await fetch(base + path, {
      headers: { ...(cookie === undefined ? {} : { cookie }), 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    expect(response.status).toBe(200);
    const given = response.headers.getSetCookie()[0]?.split(';')[0];
    const reading = cookies.read(given);
    return { answer: await response.json(), cookie: given, rawId: reading.outcome === 'verified' ? reading.rawId : undefined };
  };
  return {
    ask,
    logIn: async (user: User) => {
      const { cookie, rawId } = await ask('/login', undefined, user);
      return { cookie: present(cookie), rawId: present(rawId) };
    },
    whoAmI: async (cookie: string) => (await ask('/me', cookie)).answer,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
