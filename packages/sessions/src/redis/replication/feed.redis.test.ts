import { startRedis, type RedisServer } from '@wherry/embedded';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { FeedEvent, FeedPosition, SourceChange, SourceChangeFeed } from '../../source/change-feed.ts';
import { createRedisSource } from '../source.ts';
import { createRedisReplicationFeed } from './feed.ts';

let server: RedisServer;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  server = await startRedis();
  client = createClient({ url: `${server.url}/3` });
  await client.connect();
  await client.configSet('repl-diskless-sync-delay', '0');
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

function openFeed(prefix = 'sess:'): SourceChangeFeed {
  const feed = createRedisReplicationFeed({ url: `${server.url}/3`, prefix });
  onTestFinished(() => feed.close());
  return feed;
}

/** Reads a feed in the background and keeps what it tells. */
class Reading {
  readonly events: FeedEvent[] = [];
  readonly #stop = new AbortController();
  readonly ended: Promise<void>;
  error: unknown;

  constructor(feed: SourceChangeFeed, from: FeedPosition | null = null) {
    this.ended = this.#read(feed, from).catch((error: unknown) => {
      this.error = error;
    });
    onTestFinished(() => this.end());
  }

  get changes(): SourceChange[] {
    return this.events.flatMap((event) => (event.type === 'changes' ? event.changes : []));
  }

  get present(): string[] {
    return this.events.flatMap((event) => (event.type === 'present' ? event.rawIds : []));
  }

  get begun(): FeedEvent | undefined {
    return this.events.find(({ type }) => type === 'begun');
  }

  get position(): FeedPosition {
    const last = this.events.findLast((event) => 'position' in event);
    if (last === undefined || !('position' in last)) throw new Error('nothing yet');
    return last.position;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async #read(feed: SourceChangeFeed, from: FeedPosition | null): Promise<void> {
    const followed = feed.follow(from, this.#stop.signal);
    for await (const event of followed) {
      this.events.push(event);
      if ('position' in event) followed.acknowledge(event.position);
    }
  }
}

/** A reading that has come to the head of the source. */
async function caughtUp(feed: SourceChangeFeed, reading: Reading): Promise<void> {
  const head = await feed.head();
  await expect.poll(() => (reading.events.length === 0 ? -1 : reading.position.at)).toBeGreaterThanOrEqual(head.at);
}

for (const diskless of ['yes', 'no']) {
  test(`tells what was there and what is done, over every way of writing a session (diskless: ${diskless})`, async () => {
    await client.configSet('repl-diskless-sync', diskless);
    await client.flushAll();
    const p = `all${diskless}:`;
    // All that a snapshot can hold beside sessions: it has to be passed over by its structure.
    const long = 'a long text that can be packed, '.repeat(40);
    await client.set(`${p}text`, long, { expiration: { type: 'EX', value: 600 } });
    await client.set(`${p}number`, '12345');
    await client.set(`${p}${'k'.repeat(300)}`, '1');
    await client.hSet(`${p}hash`, { user: 'ada', n: '1' });
    await client.hSet('other:large-hash', Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`f${n}`, `${long}${n}`])));
    await client.rPush(
      'other:list',
      Array.from({ length: 500 }, (_, n) => `${n} ${long}`),
    );
    await client.sAdd('other:integers', ['1', '2', '3000000000']);
    await client.sAdd(
      'other:set',
      Array.from({ length: 600 }, (_, n) => `m${n}`),
    );
    await client.zAdd('other:sorted', [{ score: 1.5, value: 'a' }]);
    await client.zAdd(
      'other:large-sorted',
      Array.from({ length: 300 }, (_, n) => ({ score: n === 0 ? Infinity : n / 3, value: `${long}${n}` })),
    );
    for (let n = 0; n < 200; n++) await client.xAdd('other:stream', '*', { n: String(n) });
    await client.xGroupCreate('other:stream', 'group', '0');
    await client.xReadGroup('group', 'reader', { key: 'other:stream', id: '>' }, { COUNT: 3 });
    await client.sendCommand(['FUNCTION', 'LOAD', 'REPLACE', "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]);
    const feed = openFeed(p);
    const reading = new Reading(feed);
    await expect.poll(() => reading.events.some(({ type }) => type === 'present-end')).toBe(true);
    expect(reading.begun).toMatchObject({ resumed: false });
    expect(reading.present.toSorted()).toEqual(['hash', 'k'.repeat(300), 'number', 'text']);
    const before = Date.now();
    await client.set(`${p}a`, 'one', { expiration: { type: 'PX', value: 500_000 } });
    await client.expire(`${p}a`, 700);
    await client.persist(`${p}a`);
    await client.hSet(`${p}h`, 'x', 'y');
    await client.rename(`${p}a`, `${p}b`);
    await client.append(`${p}b`, 'more');
    await client.multi().del(`${p}text`).set(`${p}text`, 'again').exec();
    await client.del(`${p}b`);
    await client.set('elsewhere', 'no session');
    await client.select(4);
    await client.set(`${p}other-database`, '1');
    await client.select(3);
    await client.setEx(`${p}end`, 100, 'x');
    await caughtUp(feed, reading);
    const told = reading.changes.map(({ rawId, kind, value, own }) => [rawId, kind, value, own]);
    expect(told).toEqual([
      ['a', 'value', 'one', false],
      ['a', 'expiry', undefined, false],
      ['a', 'expiry', undefined, false],
      ['h', 'other', undefined, false],
      ['a', 'removal', undefined, false],
      ['b', 'other', undefined, false],
      ['b', 'other', undefined, false],
      ['text', 'value', 'again', false],
      ['b', 'removal', undefined, false],
      ['end', 'value', 'x', false],
    ]);
    const [set, expire, persist] = reading.changes;
    expect(set?.expireTime).toBeGreaterThanOrEqual(before + 500_000);
    expect(set?.expireTime).toBeLessThanOrEqual(Date.now() + 500_000);
    expect(expire?.expireTime).toBeGreaterThanOrEqual(before + 700_000);
    expect(persist?.expireTime).toBeNull();
    await client.flushAll();
    await expect.poll(() => reading.events.some(({ type }) => type === 'cleared')).toBe(true);
  });
}

test('knows our own writes by their companions, and not those of others between them', async () => {
  const feed = openFeed('own:');
  const reading = new Reading(feed);
  await expect.poll(() => reading.begun).toBeDefined();
  const source = createRedisSource({ client, prefix: 'own:' });
  await source.save('s', 'ours', 60_000, 1);
  await client.set('own:s', 'theirs');
  await source.put('s', 'ours again', null, { epoch: 2, n: 1 });
  await source.end('s', 60_000, 2);
  await client.set('own:s', 'back from the dead');
  await client.del('own:s');
  await caughtUp(feed, reading);
  expect(reading.changes.map(({ kind, own }) => [kind, own])).toEqual([
    ['value', true],
    ['value', false],
    ['value', true],
    ['removal', true],
    ['value', false],
    ['removal', false],
  ]);
});

test('expiry comes as a removal', async () => {
  const feed = openFeed('runs-out:');
  const reading = new Reading(feed);
  await expect.poll(() => reading.begun).toBeDefined();
  await client.set('runs-out:s', 'x', { expiration: { type: 'PX', value: 50 } });
  await expect.poll(() => reading.changes.map(({ kind }) => kind)).toEqual(['value', 'removal']);
});

test('goes on where it was, and says so when it cannot', async () => {
  const first = openFeed('resume:');
  const reading = new Reading(first);
  await client.set('resume:before', 'x');
  await expect.poll(() => reading.begun).toBeDefined();
  await caughtUp(first, reading);
  const { position } = reading;
  await reading.end();
  for (let n = 0; n < 100; n++) await client.set(`resume:${n}`, 'y');
  const second = new Reading(openFeed('resume:'), position);
  await expect.poll(() => second.changes.length).toBe(100);
  expect(second.begun).toMatchObject({ resumed: true });
  await second.end();
  // A position of the future, and one of another server.
  for (const from of [
    { ...position, at: position.at + 1_000_000_000 },
    { ...position, history: 'f'.repeat(40) },
    { history: 'nonsense', at: 5, detail: 'x' },
  ]) {
    const third = new Reading(openFeed('resume:'), from);
    await expect.poll(() => third.begun).toMatchObject({ resumed: false });
    await third.end();
  }
});

test('a replica that is promoted goes on with the stream of its primary', async () => {
  const replica = await startRedis();
  const replicaClient = createClient({ url: `${replica.url}/3` });
  await replicaClient.connect();
  onTestFinished(async () => {
    replicaClient.destroy();
    await replica.stop();
  });
  await replicaClient.sendCommand(['REPLICAOF', '127.0.0.1', String(server.port)]);
  await expect.poll(() => replicaClient.info('replication')).toContain('master_link_status:up');
  const feed = openFeed('failover:');
  const reading = new Reading(feed);
  await expect.poll(() => reading.begun).toBeDefined();
  await client.set('failover:a', '1');
  await caughtUp(feed, reading);
  const { position } = reading;
  await reading.end();
  await client.set('failover:b', '1');
  await expect.poll(() => replicaClient.get('failover:b')).toBe('1');
  await replicaClient.sendCommand(['REPLICAOF', 'NO', 'ONE']);
  await replicaClient.set('failover:c', '1');
  const promoted = createRedisReplicationFeed({ url: `${replica.url}/3`, prefix: 'failover:' });
  onTestFinished(() => promoted.close());
  const after = new Reading(promoted, position);
  await expect.poll(() => after.changes.map(({ rawId }) => rawId)).toEqual(['b', 'c']);
  expect(after.begun).toMatchObject({ resumed: true });
  expect(after.position.history).not.toBe(position.history);
});

test('a server that asks for a password, or does not allow it, is refused in words', async () => {
  await client.aclSetUser('capture', ['on', '>secret', '~*', '+@all', '-psync']);
  onTestFinished(async () => {
    await client.aclDelUser('capture');
  });
  const url = `redis://capture:secret@127.0.0.1:${server.port}/3`;
  const refused = createRedisReplicationFeed({ url });
  onTestFinished(() => refused.close());
  const reading = new Reading(refused);
  await reading.ended;
  expect(reading.error).toMatchObject({ code: 'source_refused' });
  await client.aclSetUser('capture', ['+psync']);
  const allowed = new Reading(refused);
  await expect.poll(() => allowed.begun).toBeDefined();
});

test('a reader that stops holds the stream up without holding it in memory, and misses nothing', async () => {
  const feed = openFeed('slow:');
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const events = feed.follow(null, stop.signal)[Symbol.asyncIterator]();
  expect((await events.next()).value).toMatchObject({ type: 'begun' });
  const before = process.memoryUsage().arrayBuffers;
  const value = 'v'.repeat(500_000);
  for (let n = 0; n < 100; n++) await client.set(`slow:${n}`, value);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40_000_000);
  const seen = new Set<string>();
  while (seen.size < 100) {
    const { value: event } = await events.next();
    if (event?.type === 'changes') for (const { rawId } of event.changes) seen.add(rawId);
  }
  stop.abort();
  await events.next();
});
