import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { startRedis } from '@wherry/embedded';
import { RedisStore } from 'connect-redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { SourceStore } from '../source/contract.ts';
import { HOUR, newRawId, present, read, sessionValue } from '../testing/source-fixture.ts';
import { companionKey } from './companion-key.ts';
import { createRedisSource } from './source.ts';

const connect = (url: string) => createClient({ url }).connect();
const prefix = `${randomBytes(6).toString('hex')}:`;
let client: Awaited<ReturnType<typeof connect>>;
let source: SourceStore;
let store: RedisStore;

beforeAll(async () => {
  // A database of its own in the server: the estimate of a count looks at everything that lies there.
  const url = new URL(inject('redisUrl'));
  url.pathname = '/12';
  client = await connect(url.href);
  source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  store = new RedisStore({ client, prefix });
});
afterAll(() => client.close());

const keyOf = (rawId: string): string => prefix + rawId;

describe('the layout of connect-redis', () => {
  test('key, text and expiry are the application’s, the companion lies beside them', async () => {
    const rawId = newRawId();
    const before = await source.now();
    await source.save(rawId, sessionValue(), HOUR, 4);
    expect(await client.get(keyOf(rawId))).toBe(sessionValue());
    expect(await client.get(`{${keyOf(rawId)}}:w`)).toBe('4:1');
    const [life, companionLife] = [await client.pTTL(keyOf(rawId)), await client.pTTL(companionKey(keyOf(rawId)))];
    expect(life).toBeLessThanOrEqual(HOUR);
    expect((await source.now()) + life).toBeGreaterThanOrEqual(before + HOUR - 1);
    expect(companionLife).toBeGreaterThan(life);
    await source.end(rawId, HOUR, 4);
    expect(await client.get(companionKey(keyOf(rawId)))).toBe('4:1:ended');
    expect(await client.exists(keyOf(rawId))).toBe(0);
  });

  test('the application’s own listing and clearing do not see companions', async () => {
    const own = `${randomBytes(6).toString('hex')}:`;
    const theirs = new RedisStore({ client, prefix: own });
    const ours = createRedisSource({ client, prefix: own, timeoutMs: PATIENT_MS });
    const ids = Array.from({ length: 5 }, newRawId);
    for (const id of ids) await ours.save(id, sessionValue(), HOUR, 0);
    await ours.end(newRawId(), HOUR, 0);
    expect(await theirs.length()).toBe(5);
    expect((await theirs.ids()).toSorted()).toEqual(ids.toSorted());
    expect((await theirs.all()).map(({ id }: { id: string }) => id).toSorted()).toEqual(ids.toSorted());
    await theirs.clear();
    expect(await ours.count()).toBe(0);
    // The version outlives the session: the next one is later than all that a mirror may have.
    expect(await ours.save(present(ids[0]), sessionValue(), HOUR, 0)).toMatchObject({ version: { epoch: 0, n: 2 } });
  });

  test('a session without expiry (disableTTL) never ends, and saving it so keeps it so', async () => {
    const rawId = newRawId();
    await new RedisStore({ client, prefix, disableTTL: true }).set(rawId, JSON.parse(sessionValue()));
    expect((await read(source, rawId))?.expireTime).toBeNull();
    await source.save(rawId, sessionValue(), null, 0);
    expect(await client.pTTL(keyOf(rawId))).toBe(-1);
    expect(await client.pTTL(companionKey(keyOf(rawId)))).toBe(-1);
    await source.touch(rawId, HOUR, 0);
    expect(await client.pTTL(companionKey(keyOf(rawId)))).toBeGreaterThan(HOUR);
    await source.touch(rawId, null, 0);
    expect(await client.pTTL(keyOf(rawId))).toBe(-1);
    expect(await client.pTTL(companionKey(keyOf(rawId)))).toBe(-1);
  });

  test('what an old writer saves over a tombstone stays ended', async () => {
    const rawId = newRawId();
    await source.end(rawId, HOUR, 0);
    await store.set(rawId, JSON.parse(sessionValue()));
    expect(await read(source, rawId)).toMatchObject({ ended: true, value: '' });
    const [partition] = await source.partitions();
    const found: string[] = [];
    for (let cursor: string | null = null; ;) {
      const page = await source.scan(present(partition), cursor, 1000);
      found.push(...page.sessions.map((session) => session.rawId));
      if ((cursor = page.next) === null) break;
    }
    expect(found).not.toContain(rawId);
  });

  test('keys of another type are no sessions and do no harm', async () => {
    const [hash, good] = [newRawId(), newRawId()];
    await client.hSet(keyOf(hash), 'field', 'value');
    await source.save(good, sessionValue(), HOUR, 0);
    expect((await source.get([hash, good])).map((session) => session?.rawId)).toEqual([undefined, good]);
    await client.set(companionKey(keyOf(good)), 'written by somebody else');
    expect(await read(source, good)).toMatchObject({ version: { epoch: 0, n: 0 }, ended: false });
  });

  test('a count among many other keys is an estimate from a sample', async () => {
    const own = `${randomBytes(6).toString('hex')}:`;
    const other = `${randomBytes(6).toString('hex')}:`;
    const fill = `for i = 1, ARGV[2] do redis.call('SET', ARGV[1] .. i, '{}', 'EX', 3600) end`;
    await client.eval(fill, { arguments: [own, '15000'] });
    await client.eval(fill, { arguments: [other, '45000'] });
    const count = await createRedisSource({ client, prefix: own, timeoutMs: PATIENT_MS }).count();
    expect(count).toBeGreaterThan(12_000);
    expect(count).toBeLessThan(18_000);
    await client.eval(`for i = 1, ARGV[2] do redis.call('DEL', ARGV[1] .. i) end`, { arguments: [other, '45000'] });
    await client.eval(`for i = 1, ARGV[2] do redis.call('DEL', ARGV[1] .. i) end`, { arguments: [own, '15000'] });
  });

  test('scripts that the server has forgotten are sent again', async () => {
    const rawId = newRawId();
    await source.save(rawId, sessionValue(), HOUR, 0);
    await client.scriptFlush();
    expect(await source.save(rawId, sessionValue(), HOUR, 0)).toMatchObject({ version: { n: 2 } });
  });

  test('wrong options are told before anything is done', () => {
    expect(() => createRedisSource({})).toThrow('client or a URL');
    expect(() => createRedisSource({ client, prefix: '{' })).toThrow('prefix');
    expect(() => createRedisSource({ url: 'redis-cluster://' })).toThrow('URL');
  });
});

describe('a server that goes and comes back', () => {
  test('calls fail with a code, go on by themselves, and the scan starts again', async () => {
    const server = await startRedis();
    const ours = createRedisSource({ url: server.url, timeoutMs: PATIENT_MS });
    try {
      const rawIds = Array.from({ length: 300 }, newRawId);
      for (const rawId of rawIds) await ours.save(rawId, sessionValue(), HOUR, 0);
      const [partition] = await ours.partitions();
      const { next } = await ours.scan(present(partition), null, 10);
      await server.pause();
      await expect(ours.get(rawIds)).rejects.toMatchObject({ code: 'source_unavailable' });
      await expect(ours.save(present(rawIds[0]), sessionValue(), HOUR, 0)).rejects.toMatchObject({ code: 'source_unavailable' });
      await expect(ours.now()).rejects.toMatchObject({ code: 'source_unavailable' });
      await server.start();
      await expect.poll(() => ours.get(rawIds.slice(0, 1)).catch(() => [])).toHaveLength(1);
      await expect(ours.scan(present(partition), next, 10)).rejects.toMatchObject({ code: 'source_cursor_lost' });
      const [again] = await ours.partitions();
      expect(again?.id).toBe(partition?.id);
      expect(again?.incarnation).not.toBe(partition?.incarnation);
      expect(await ours.count()).toBe(300);
    } finally {
      await ours.close();
      await server.stop();
    }
  });

  test('a server that was never there, and a silent one', async () => {
    const away = createRedisSource({ url: 'redis://user:secret@127.0.0.1:9/3', timeoutMs: 300 });
    const refusal = await away.get(['a']).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'source_unavailable' });
    expect(away.describe().location).toBe('127.0.0.1:9/3');
    await away.close();
    const stuck = createRedisSource({ client: { sendCommand: () => new Promise(() => undefined) }, timeoutMs: 50 });
    await expect(stuck.now()).rejects.toMatchObject({ code: 'source_unavailable' });
  });

  test('a server that refuses is told from one that is away', async () => {
    const server = await startRedis();
    const admin = await connect(server.url);
    const ours = createRedisSource({ url: server.url, timeoutMs: PATIENT_MS });
    try {
      await ours.now();
      await admin.sendCommand(['ACL', 'SETUSER', 'default', '-@all', '+acl', '+hello', '+auth', '+client']);
      await expect(ours.get(['a'])).rejects.toMatchObject({ code: 'source_refused' });
    } finally {
      await ours.close();
      admin.destroy();
      await server.stop();
    }
  });
});
