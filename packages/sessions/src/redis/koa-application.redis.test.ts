import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PATIENT_MS } from '@wherry/embedded/testing';
import Koa from 'koa';
import { createSession } from 'koa-session';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { detectLayout } from '../legacy/detect.ts';
import { koaSession, koaSessionUnsigned } from '../legacy/koa/formats.ts';
import type { SourceStore } from '../source/contract.ts';
import type { DecodedSession } from '../source/decoder.ts';
import { HOUR, present, read } from '../testing/source-fixture.ts';
import { createKoaRedisSource } from './koa-source.ts';

const SECRETS = ['current secret', 'former secret'];
const IDLE_MS = 1_800_000;
const ada = { id: 42, name: 'Ada "😀" O\'Neill', roles: ['staff'], note: 'two\nlines "_expire":1,' };
const decode = koaSession.decoder({ identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] } });
const connect = (url: string) => createClient({ url }).connect();
type Client = Awaited<ReturnType<typeof connect>>;

/** A store as the page of koa-session describes one, and an application on it. */
async function startApplication(client: Client, storePrefix: string, options: { signed: boolean; prefix?: string }) {
  const app = new Koa();
  app.keys = SECRETS;
  const store = {
    get: async (key: string) => JSON.parse((await client.get(storePrefix + key)) ?? 'null') as object | null,
    set: async (key: string, value: object, maxAge?: number | 'session') => {
      await client.set(storePrefix + key, JSON.stringify(value), { expiration: { type: 'PX', value: Number(maxAge) } });
    },
    destroy: async (key: string) => {
      await client.del(storePrefix + key);
    },
  };
  app.use(createSession({ store, maxAge: IDLE_MS, ...options }, app));
  app.use((ctx) => {
    const session = ctx['session'] as Record<string, unknown>;
    if (ctx.path === '/login') session['user'] = ada;
    if (ctx.path === '/visit') session['visits'] = Number(session['visits'] ?? 0) + 1;
    ctx.body = JSON.stringify(session['user'] ?? null);
    if (ctx.path === '/logout') ctx['session'] = null;
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ask: async (path: string, cookie?: string) => {
      const response = await fetch(base + path, cookie === undefined ? {} : { headers: { cookie } });
      const given = response.headers.getSetCookie().map((line) => line.split(';')[0]);
      return { answer: await response.json(), cookie: given.join('; ') };
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function decoded(value: string): DecodedSession {
  const result = decode(value);
  if (!result.ok) throw new Error(result.why.detail);
  return result.session;
}

describe.each([
  { signed: true, prefix: 'shop:', storePrefix: '', format: koaSession },
  { signed: true, storePrefix: 'koa:', format: koaSession },
  { signed: false, storePrefix: `${randomBytes(4).toString('hex')}:`, format: koaSessionUnsigned },
])(
  'a Koa application with koa-session on Redis: $format.name, store’s prefix "$storePrefix"',
  ({ signed, prefix, storePrefix, format }) => {
    let client: Client;
    let source: SourceStore;
    let application: Awaited<ReturnType<typeof startApplication>>;
    const cookies = format.cookie({ secrets: signed ? SECRETS : [] });
    beforeAll(async () => {
      // A database of its own: with an empty prefix everything that lies there is a session.
      const url = new URL(inject('redisUrl'));
      url.pathname = '/11';
      client = await connect(url.href);
      await client.flushDb();
      source = createKoaRedisSource({ client, prefix: storePrefix, timeoutMs: PATIENT_MS });
      application = await startApplication(client, storePrefix, { signed, ...(prefix === undefined ? {} : { prefix }) });
    });
    afterAll(async () => {
      await application.stop();
      await client.close();
    });

    async function logIn(): Promise<{ cookie: string; rawId: string }> {
      const { cookie } = await application.ask('/login');
      const reading = cookies.read(cookie);
      if (reading.outcome !== 'verified') throw new Error(`the cookie is ${reading.outcome}`);
      return { cookie, rawId: reading.rawId };
    }

    test('its log-in is read: cookie, value, identity, ten seconds less than the key lives', async () => {
      const { cookie, rawId } = await logIn();
      if (prefix !== undefined) expect(rawId.startsWith(prefix)).toBe(true);
      const found = present(await read(source, rawId));
      const session = decoded(found.value);
      expect(session).toMatchObject({ userId: '42', username: ada.name, authorities: ada.roles, idleMs: IDLE_MS, attributes: found.value });
      const life = await client.pExpireTime(storePrefix + rawId);
      expect(found.expireTime).toBe(life - 10_000);
      expect(Math.abs(present(session.expireTime) - present(found.expireTime))).toBeLessThan(PATIENT_MS);
      expect(cookies.build(rawId)).toBe(cookie);
      expect(cookies.read(cookie.replace(rawId, `${rawId}x`)).outcome).toBe(signed ? 'invalid' : 'verified');
    });

    test('what is touched, put and saved here it reads, with its new end, and goes on writing', async () => {
      const { cookie, rawId } = await logIn();
      await source.touch(rawId, 2 * HOUR, 0);
      const touched = present(await read(source, rawId));
      expect(decoded(touched.value).expireTime).toBe(touched.expireTime);
      expect(JSON.parse(touched.value)).toMatchObject({ user: ada, _maxAge: IDLE_MS });
      expect((await application.ask('/visit', cookie)).answer).toEqual(ada);
      expect(JSON.parse(present(await read(source, rawId)).value)).toMatchObject({ user: ada, visits: 1 });

      // Its own end is over: koa-session would take it for expired, were the new one not written into it.
      const old = JSON.stringify({ user: ada, _expire: 1, _maxAge: IDLE_MS });
      const put = `${prefix ?? ''}${randomBytes(8).toString('hex')}`;
      const expireTime = (await source.now()) + HOUR;
      await source.put(put, old, expireTime, { epoch: 1, n: 1 });
      expect(await read(source, put)).toMatchObject({ expireTime, version: { epoch: 1, n: 1 } });
      expect((await application.ask('/me', cookies.build(put))).answer).toEqual(ada);
      expect(await source.save(put, old, HOUR, 2)).toMatchObject({ outcome: 'applied' });
      expect((await application.ask('/me', cookies.build(put))).answer).toEqual(ada);
    });

    test('in its last ten seconds a key holds no session', async () => {
      const { cookie, rawId } = await logIn();
      await client.pExpire(storePrefix + rawId, 9000);
      expect(await read(source, rawId)).toBeUndefined();
      expect(await source.touch(rawId, HOUR, 0)).toEqual({ outcome: 'missing' });
      await source.end(rawId, HOUR, 0);
      expect((await application.ask('/me', cookie)).answer).toBeNull();
    });

    test('what it destroys is absent, what is ended here it no longer knows', async () => {
      const [first, second] = [await logIn(), await logIn()];
      await application.ask('/logout', first.cookie);
      expect(await read(source, first.rawId)).toBeUndefined();
      await source.end(second.rawId, HOUR, 0);
      expect((await application.ask('/me', second.cookie)).answer).toBeNull();
    });

    test('a scan meets sessions, not what lies beside them, and a sample names the format', async () => {
      const ids = await Promise.all(Array.from({ length: 30 }, async () => (await logIn()).rawId));
      for (const rawId of ids) await source.save(rawId, present(await read(source, rawId)).value, HOUR, 0);
      const seen = new Map<string, string>();
      for (const partition of await source.partitions()) {
        for (let cursor: string | null = null; ;) {
          const page = await source.scan(partition, cursor, 10);
          for (const { rawId, value } of page.sessions) seen.set(rawId, value);
          if ((cursor = page.next) === null) break;
        }
      }
      expect(ids.filter((rawId) => !seen.has(rawId))).toEqual([]);
      expect([...seen.keys()].filter((rawId) => rawId.includes('{'))).toEqual([]);
      const entries = [...seen].map(([rawId, value]) => ({ rawId, value }));
      expect(detectLayout({ store: 'redis', entries }).layout).toBe('koa-session');
    });
  },
);
