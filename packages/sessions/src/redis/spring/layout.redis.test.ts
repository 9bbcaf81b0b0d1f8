import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { createClient, createCluster, RESP_TYPES } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { IdentityMapping } from '../../legacy/identity-mapping.ts';
import { springRedis } from '../../legacy/spring/formats.ts';
import { springDecoder } from '../../legacy/spring/spring-decoder.ts';
import { GOLDEN, goldenKeys } from '../../legacy/spring/testing.ts';
import type { SourceStore } from '../../source/contract.ts';
import { HOUR, newRawId, present, read } from '../../testing/source-fixture.ts';
import { createSpringRedisSource } from './source.ts';
import { plainNumber } from './testing/plain-number.ts';
import { integerField, longField, textField, valueOfText, type Values } from './testing/session-values.ts';

const url = new URL(inject('redisUrl'));
const connect = () =>
  createClient({ url: url.href })
    .withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    .connect();
let client: Awaited<ReturnType<typeof connect>>;
const decode = springDecoder({ identity: springRedis.identity as IdentityMapping });

beforeAll(async () => {
  url.pathname = '/10';
  client = await connect();
});
afterAll(() => client.close());

interface Place {
  readonly namespace: string;
  readonly source: SourceStore;
  readonly values: Values;
}

function place(indexed: boolean, values: Values): Place {
  const namespace = randomBytes(6).toString('hex');
  const source = createSpringRedisSource({ url: url.href, prefix: `${namespace}:sessions:`, indexed, timeoutMs: PATIENT_MS });
  return { namespace, source, values };
}

/** Lays down what Spring left, in a namespace of its own and as if the last access had been now. */
async function restore(name: string): Promise<Place> {
  const values = name.endsWith('jdk') ? 'jdk' : 'json';
  const made = place(name.startsWith('indexed'), values);
  for (const [key, { life, fields, members, text }] of Object.entries(goldenKeys(name))) {
    const moved = key.replace('spring:session', made.namespace);
    const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');
    if (fields !== undefined) {
      for (const [field, value] of Object.entries(fields)) await client.hSet(moved, field, bytes(value));
      await client.hSet(moved, 'lastAccessedTime', longField(values, BigInt(Date.now())));
    } else if (members !== undefined) await client.sAdd(moved, members.map(bytes));
    else await client.set(moved, bytes(text ?? ''));
    if (life >= 0) await client.pExpire(moved, life);
  }
  return made;
}

describe('what Spring left in Redis', () => {
  test.each(GOLDEN)('%s: its sessions, and none of its other keys', async (name) => {
    const { source } = await restore(name);
    try {
      const [partition] = await source.partitions();
      const { sessions } = await source.scan(present(partition), null, 1000);
      const lasting = name.startsWith('indexed') ? ['never'] : [];
      expect(sessions.map(({ rawId }) => rawId).toSorted()).toEqual(['ada', 'grace', 'guest', ...lasting]);
      const users = sessions.map(({ value }) => decode(value)).map((decoded) => (decoded.ok ? decoded.session.userId : decoded.why.reason));
      expect(new Set(users)).toEqual(new Set(['ada', ...(lasting.length > 0 ? ['alan'] : []), 'grace', null]));
      const { expireTime, readAt } = present(await read(source, 'ada'));
      // Half an hour, less what the program took; not the five minutes more that Spring keeps the key.
      expect(present(expireTime) - readAt).toBeGreaterThan(29 * 60_000);
      expect(present(expireTime) - readAt).toBeLessThanOrEqual(30 * 60_000);
      expect(await source.get(['over', 'expires:ada'])).toEqual([undefined, undefined]);
    } finally {
      await source.close();
    }
  });

  test.each(GOLDEN)('%s: what is read and put back is byte for byte what it was, but for the last access', async (name) => {
    const { source, namespace, values } = await restore(name);
    try {
      const before = await client.hGetAll(`${namespace}:sessions:ada`);
      const session = present(await read(source, 'ada'));
      const end = session.readAt + HOUR;
      await source.put('ada', session.value, end, { epoch: 1, n: 1 });
      const after = await client.hGetAll(`${namespace}:sessions:ada`);
      expect(plainNumber(present(after['lastAccessedTime']))).toBe(end - 1_800_000);
      expect(after['lastAccessedTime']).toEqual(longField(values, BigInt(end - 1_800_000)));
      expect({ ...after, lastAccessedTime: null }).toEqual({ ...before, lastAccessedTime: null });
      expect((await read(source, 'ada'))?.value).toBe(session.value);
    } finally {
      await source.close();
    }
  });

  test.each(GOLDEN)('%s: its keys show which of the two layouts it is, whichever one was taken', async (name) => {
    const { source, namespace } = await restore(name);
    const indexed = name.startsWith('indexed');
    const other = createSpringRedisSource({ url: url.href, prefix: `${namespace}:sessions:`, indexed: !indexed, timeoutMs: PATIENT_MS });
    try {
      const layout = indexed ? 'spring-redis-indexed' : 'spring-redis';
      expect(await source.layout?.()).toBe(layout);
      expect(await other.layout?.()).toBe(layout);
    } finally {
      await source.close();
      await other.close();
    }
  });

  test.each(GOLDEN)('%s: a canary is a session of the same form', async (name) => {
    const { source, values } = await restore(name);
    try {
      const value = present(await source.canary?.());
      await source.put('canary', value, (await source.now()) + HOUR, { epoch: 1, n: 1 });
      expect((await read(source, 'canary'))?.value).toBe(value);
      expect(decode(value)).toMatchObject({ ok: true, session: { userId: null, tree: { canary: 'canary' } } });
      expect(value.includes('b:')).toBe(values === 'jdk');
    } finally {
      await source.close();
    }
  });
});

describe.each(['jdk', 'json'] as const)('beside an indexed session in %s', (values) => {
  const id = newRawId();
  const minute = (end: number): number => (Math.floor(end / 60_000) + 1) * 60_000;
  const member = textField(values, `expires:${id}`);

  test('the shadow, the minute and the index are kept as Spring keeps them', async () => {
    const { source, namespace } = place(true, values);
    try {
      const bucket = (end: number): string => `${namespace}:expirations:${minute(end)}`;
      const shadow = `${namespace}:sessions:expires:${id}`;
      const now = await source.now();
      const name = 'sessionAttr:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME';
      const users = { ...(JSON.parse(valueOfText(values, 'x')) as object), [name]: stored(textField(values, 'ada')) };
      await source.put(id, JSON.stringify(users), now + HOUR, { epoch: 1, n: 1 });
      expect(await client.sMembers(bucket(now + HOUR))).toEqual([member]);
      expect(Math.abs((await client.pExpireTime(shadow)) - (now + HOUR))).toBeLessThanOrEqual(1);
      expect(Math.abs((await client.pExpireTime(`${namespace}:sessions:${id}`)) - (now + HOUR + 300_000))).toBeLessThanOrEqual(1);
      const index = `${namespace}:index:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME:ada`;
      expect(await client.sMembers(index)).toEqual([textField(values, id)]);

      const touched = await source.touch(id, 3 * HOUR, 1);
      const end = touched.outcome === 'applied' ? present(touched.expireTime) : 0;
      expect(await client.exists(bucket(now + HOUR))).toBe(0);
      expect(await client.sMembers(bucket(end))).toEqual([member]);
      expect(await client.pTTL(bucket(end))).toBeGreaterThan(3 * HOUR);
      expect(Math.abs((await client.pExpireTime(shadow)) - end)).toBeLessThanOrEqual(1);

      await source.end(id, HOUR, 1);
      expect(await client.exists([shadow, bucket(end)])).toBe(0);
      const left = await client.hGetAll(`${namespace}:sessions:${id}`);
      expect(left['maxInactiveInterval']).toEqual(integerField(values, 0));
      expect(await client.pTTL(`${namespace}:sessions:${id}`)).toBeLessThanOrEqual(300_000);
      // A request that began before the end saves its access: nothing of it is a session again, here or for Spring.
      await client.hSet(`${namespace}:sessions:${id}`, { lastAccessedTime: longField(values, BigInt(Date.now())) });
      expect(await read(source, id)).toMatchObject({ ended: true });
    } finally {
      await source.close();
    }
  });

  test('what a late request leaves of a deleted session is none, and holds nobody up', async () => {
    const { source, namespace } = place(true, values);
    try {
      await client.hSet(`${namespace}:sessions:${id}`, { lastAccessedTime: longField(values, BigInt(Date.now())) });
      expect(await read(source, id)).toBeUndefined();
      expect(await source.touch(id, HOUR, 0)).toEqual({ outcome: 'missing' });
      expect(await source.save(id, valueOfText(values, 'new'), HOUR, 0, { mark: 'a1' })).toMatchObject({ outcome: 'applied' });
    } finally {
      await source.close();
    }
  });

  test('a session whose key outlives its idle time is over a minute after that', async () => {
    const { source, namespace } = place(true, values);
    try {
      const fields = (accessed: number): Record<string, Buffer> => ({
        creationTime: longField(values, 1_700_000_000_000n),
        lastAccessedTime: longField(values, BigInt(accessed)),
        maxInactiveInterval: integerField(values, 600),
      });
      const now = await source.now();
      await client.hSet(`${namespace}:sessions:${id}`, fields(now - 700_000));
      expect(await read(source, id)).toBeUndefined();
      // Before its expiry is set there is none: the last access says the end.
      await client.hSet(`${namespace}:sessions:${id}`, fields(now));
      expect((await read(source, id))?.expireTime).toBe(now + 660_000);
      // Of a deletion Spring writes this first, and shortens the key's life after it.
      await client.pExpire(`${namespace}:sessions:${id}`, HOUR);
      await client.hSet(`${namespace}:sessions:${id}`, { maxInactiveInterval: integerField(values, 0) });
      expect(await read(source, id)).toBeUndefined();
    } finally {
      await source.close();
    }
  });
});

test('a session of another serialiser is read, touched and ended by its key, and undecodable', async () => {
  const { source, namespace } = place(true, 'json');
  try {
    const key = `${namespace}:sessions:kryo`;
    await client.hSet(key, { creationTime: '\u0001x', lastAccessedTime: '\u0001y', maxInactiveInterval: '\u0001z' });
    await client.pExpire(key, HOUR + 300_000);
    const { value, expireTime, readAt } = present(await read(source, 'kryo'));
    expect(Math.abs(present(expireTime) - readAt - HOUR)).toBeLessThan(60_000);
    expect(decode(value)).toMatchObject({ ok: false });
    expect(await source.touch('kryo', 2 * HOUR, 0)).toMatchObject({ outcome: 'applied' });
    expect(String((await client.hGetAll(key))['lastAccessedTime'])).toBe('\u0001y');
    await source.end('kryo', HOUR, 0);
    expect(await client.exists(key)).toBe(0);
  } finally {
    await source.close();
  }
});

test('wrong options and foreign values are told before anything is done', async () => {
  expect(() => createSpringRedisSource({ url: url.href, prefix: 'sess:', indexed: true })).toThrow('sessions:');
  expect(() => createSpringRedisSource({ client: createCluster({ rootNodes: [] }), indexed: true })).toThrow('cluster');
  const { source } = place(false, 'json');
  await expect(source.save('a', '{"cookie":{}}', HOUR, 0)).rejects.toMatchObject({ code: 'source_refused' });
  await expect(source.put('expires:a', valueOfText('json', ''), null, { epoch: 0, n: 1 })).rejects.toMatchObject({
    code: 'source_refused',
  });
  await source.close();
});

/** A field in a value of the source. */
function stored(field: Buffer): string {
  return field[0] === 0xac ? `b:${field.toString('base64')}` : `t:${field.toString()}`;
}
