import { startRedis, type RedisServer } from '@wherry/embedded';
import { openWay } from '@wherry/embedded/testing';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { FeedEvent } from '../../source/change-feed.ts';
import { createRedisNotificationFeed, type RedisNotificationOptions } from './feed.ts';

let server: RedisServer;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  server = await startRedis();
  client = createClient({ url: server.url });
  await client.connect();
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

/** Reads in the background; `error` is what the feed ended with. */
function read(options: Partial<RedisNotificationOptions> = {}): { events: FeedEvent[]; changes(): string[]; ended: Promise<unknown> } {
  const feed = createRedisNotificationFeed({ url: server.url, prefix: 'n:', ...options });
  const stop = new AbortController();
  const events: FeedEvent[] = [];
  const ended = (async () => {
    for await (const event of feed.follow(null, stop.signal)) events.push(event);
  })().then(
    () => undefined,
    (error: unknown) => error,
  );
  onTestFinished(async () => {
    stop.abort();
    await ended;
    await feed.close();
  });
  const changes = (): string[] =>
    events.flatMap((event) => (event.type === 'changes' ? event.changes.map(({ rawId, kind }) => `${rawId} ${kind}`) : []));
  return { events, changes, ended };
}

test('a server that does not notify is refused, and the words say what is needed', async () => {
  await client.configSet('notify-keyspace-events', 'Kx');
  expect(await read().ended).toMatchObject({ code: 'source_refused', message: expect.stringContaining('Kg$hxe') as string });
});

test('what is there, what is written, extended, renamed and removed; places grow', async () => {
  await client.configSet('notify-keyspace-events', 'KEA');
  await client.set('n:there', 'x');
  const { events, changes } = read();
  await expect.poll(() => events.some(({ type }) => type === 'present-end')).toBe(true);
  expect(events.flatMap((event) => (event.type === 'present' ? event.rawIds : []))).toEqual(['there']);
  await client.set('n:a', '1');
  await client.expire('n:a', 100);
  await client.hSet('n:h', 'f', '1');
  await client.rename('n:a', 'n:b');
  await client.del('n:b');
  await client.set('elsewhere', '1');
  await client.set('n:z', '1', { expiration: { type: 'PX', value: 20 } });
  await expect.poll(changes).toContain('z removal');
  expect(changes()).toEqual(['a other', 'a expiry', 'h other', 'a removal', 'b other', 'b removal', 'z other', 'z expiry', 'z removal']);
  const places = events.flatMap((event) => ('position' in event ? [event.position.at] : []));
  expect(places).toEqual([...new Set(places)].toSorted((a, b) => a - b));
});

test('a pass over all keys comes in every period, and a lost connection ends the feed', async () => {
  await client.configSet('notify-keyspace-events', 'KEA');
  await using way = await openWay(server.url);
  const { events, ended } = read({ url: way.url, passEveryMs: 50 });
  await expect.poll(() => events.filter(({ type }) => type === 'present').length).toBeGreaterThan(2);
  way.sever();
  expect(await ended).toMatchObject({ code: 'source_unavailable' });
});
