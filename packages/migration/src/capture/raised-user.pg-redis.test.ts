import { readFileSync } from 'node:fs';
import { startRedis, type RedisServer } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { SESSION_FORMATS, carriedSessionKey, type SessionDecoder, type SessionFormat, type SourceStore } from '@wherry/sessions';
import { createRedisReplicationFeed, createRedisSource, createSpringRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { verifyUntilEqual } from '../steps.ts';
import { Workbench, type RunningMigrator } from '../testing/workbench.ts';

/*
 * Software that knows nothing of us, by what it wrote itself: its sessions are captured from the replication stream, its
 * log-outs are, and a user of whom all was ended can log in to it again, and only by logging in.
 */
let server: RedisServer;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  server = await startRedis();
  client = createClient({ url: server.url });
  await client.connect();
  await client.configSet('repl-diskless-sync-delay', '0');
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

/** One kind of software. */
interface Software {
  readonly prefix: string;
  readonly userId: string;
  readonly source: SourceStore;
  readonly decode: SessionDecoder;
  readonly bytes: boolean;
  readonly rawIdOf?: (key: string) => string | undefined;
  /** Writes a session of the user as the software did. */
  begin(key: string): Promise<void>;
  /** True while the software finds the session. */
  finds?(key: string): Promise<boolean>;
}

const HOUR_S = 3600;
const fixtures = new URL('../../../sessions/fixtures/', import.meta.url);

function fixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, fixtures), 'utf8')) as unknown;
}

function formatOf(name: string): SessionFormat {
  const format = SESSION_FORMATS.find((each) => each.name === name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return format;
}

function connectRedis(): Software {
  const prefix = 'express:';
  const value = JSON.stringify({ cookie: { originalMaxAge: HOUR_S * 1000, path: '/' }, user: { id: 'ada', name: 'ada', roles: ['user'] } });
  return {
    prefix,
    userId: 'ada',
    bytes: false,
    source: createRedisSource({ url: server.url, prefix, timeoutMs: PATIENT_MS }),
    decode: formatOf('connect-redis').decoder({ identity: { userId: 'user.id' } }),
    begin: async (key) => void (await client.set(key, value, { expiration: { type: 'EX', value: HOUR_S } })),
  };
}

function php(): Software {
  const prefix = 'PHPREDIS_SESSION:';
  const { sessions } = fixture('php/sessions.json') as { sessions: readonly { handler: string; session: string; base64: string }[] };
  const written = sessions.find(({ handler, session }) => handler === 'php' && session === 'array')?.base64 ?? '';
  return {
    prefix,
    userId: '42',
    bytes: true,
    source: createRedisSource({ url: server.url, prefix, bytes: true, timeoutMs: PATIENT_MS }),
    decode: formatOf('php').decoder({ identity: { userId: 'user.id' } }),
    begin: async (key) => void (await client.set(key, Buffer.from(written, 'base64'), { expiration: { type: 'EX', value: HOUR_S } })),
  };
}

function spring(layout: 'indexed-jdk' | 'plain-json'): Software {
  const prefix = `${layout}:sessions:`;
  const golden = fixture(`spring/golden/${layout}.json`) as Record<string, { fields?: Record<string, string> }>;
  const fields = Object.entries(golden['spring:session:sessions:ada']?.fields ?? {});
  const format = formatOf(layout === 'indexed-jdk' ? 'spring-redis-indexed' : 'spring-redis');
  return {
    prefix,
    userId: 'ada',
    bytes: true,
    source: createSpringRedisSource({ url: server.url, prefix, indexed: layout === 'indexed-jdk', timeoutMs: PATIENT_MS }),
    decode: format.decoder({ identity: format.identity ?? { userId: 'user.id' } }),
    ...(layout === 'indexed-jdk' ? { finds: isUsable } : {}),
    rawIdOf: (key) => (key.startsWith(`${prefix}expires:`) ? undefined : key.slice(prefix.length)),
    begin: async (key) => {
      const now = (bytes: Buffer): Buffer => {
        if (layout === 'plain-json') return Buffer.from(String(Date.now()));
        // A Long of the JDK ends with its eight bytes.
        bytes.writeBigInt64BE(BigInt(Date.now()), bytes.length - 8);
        return bytes;
      };
      const values = fields.map(([name, base64]): [string, Buffer] => {
        const bytes = Buffer.from(base64, 'base64');
        return [name, name === 'lastAccessedTime' ? now(bytes) : bytes];
      });
      await client.multi().hSet(key, Object.fromEntries(values)).expire(key, HOUR_S).exec();
    },
  };
}

async function exists(key: string): Promise<boolean> {
  return (await client.exists(key)) === 1;
}

/** One that was removed stays for a while, as one that must not be used for any time at all: an Integer ends with its four bytes. */
async function isUsable(key: string): Promise<boolean> {
  return (await client.hGet(key, 'maxInactiveInterval'))?.endsWith('\0\0\0\0') === false;
}

async function stateOf({ context }: RunningMigrator, rawId: string): Promise<string> {
  const found = await context.target.get(carriedSessionKey(rawId));
  return found.state === 'live' ? `${found.record.userId}` : found.state;
}

test.each([
  ['connect-redis', connectRedis],
  ['PHP', php],
  ['Spring, indexed, serialised by the JDK', () => spring('indexed-jdk')],
  ['Spring, a hash for each, as JSON', () => spring('plain-json')],
])('%s: captured, logged out, ended everywhere, and logged in again', async (_, make) => {
  const { prefix, userId, source, decode, bytes, rawIdOf, begin, finds = exists } = make();
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  onTestFinished(() => source.close());
  const capturing = (): Promise<RunningMigrator> => {
    const capture = createRedisReplicationFeed({
      url: server.url,
      prefix,
      bytes,
      timeoutMs: PATIENT_MS,
      ...(rawIdOf === undefined ? {} : { rawIdOf }),
    });
    return bench.migrator(source, { writers: 'captured', capture, decode });
  };
  const { runtime: gateway } = await bench.process('gateway');
  const sessions = gateway.carry({ source, decode });
  const read = async (rawId: string): Promise<string> => (await sessions.read(rawId)).state;

  await begin(`${prefix}before`);
  const first = await capturing();
  await expect.poll(() => stateOf(first, 'before')).toBe(userId);
  await begin(`${prefix}gone`);
  await expect.poll(() => stateOf(first, 'gone')).toBe(userId);
  await client.del(`${prefix}gone`);
  await expect.poll(() => stateOf(first, 'gone')).toBe('ended');

  // All that he has is ended: the application loses it too, so that it makes nothing new out of it.
  await gateway.revocations.raiseGeneration(userId, 'test', 'lost phone');
  expect(await read('before')).toBe('ended');
  await expect.poll(() => finds(`${prefix}before`)).toBe(false);
  // What is settled is written down with the place.
  const { control } = first.context;
  const settled = async (): Promise<boolean> =>
    (await control.query(`SELECT FROM migration_capture WHERE settled_seq >= (SELECT max(seq) FROM revocation WHERE kind = 'user')`)).rows
      .length > 0;
  await expect.poll(settled).toBe(true);

  await begin(`${prefix}again`);
  await expect.poll(() => read('again')).toBe('live');
  // He gets another id, as at a second factor.
  await client.rename(`${prefix}again`, `${prefix}renamed`);
  await expect.poll(() => read('renamed')).toBe('live');
  // A request that was slow saves an old one: it is removed once more.
  await begin(`${prefix}before`);
  await expect.poll(() => finds(`${prefix}before`)).toBe(false);
  expect(await read('before')).toBe('ended');

  // Another process goes on where this one ends, and finds both sides equal.
  await first.end();
  await begin(`${prefix}meanwhile`);
  const next = await capturing();
  await expect.poll(() => read('meanwhile')).toBe('live');
  await verifyUntilEqual(next.context);
  expect(await Promise.all(['renamed', 'meanwhile', 'before'].map(read))).toEqual(['live', 'live', 'ended']);
});
