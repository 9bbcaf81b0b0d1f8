import { randomBytes } from 'node:crypto';
import { deriveKey, silentLogger, type Logger } from '@wherry/core';
import { openWay, type Severable } from '@wherry/embedded/testing';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import type { RevocationChange } from '../change.ts';
import { startControl, startFollower, type Follower, type TestControl } from '../testing/followers.ts';
import { sealEntry } from './entry.ts';
import { RevocationStream, type RevocationStreamOptions } from './revocation-stream.ts';

const masterKey = Buffer.alloc(32, 3);
const redis = createClient({ url: inject('redisUrl') });
let control: TestControl;
beforeAll(async () => {
  control = await startControl(inject('postgresUrl'));
  await redis.connect();
});
afterAll(async () => {
  redis.destroy();
  await control[Symbol.asyncDispose]();
});

/** An instance with the stream. */
interface Streaming extends Follower {
  readonly stream: RevocationStream;
}

const newKey = (): string => `test:${randomBytes(6).toString('hex')}`;

async function start(key: string, options: Partial<RevocationStreamOptions> = {}, controlUrl = control.url): Promise<Streaming> {
  const follower = await startFollower(controlUrl);
  const { set, revocations } = follower;
  const stream = new RevocationStream({ url: inject('redisUrl'), key, masterKey, set, revocations, ...options });
  await stream.run();
  onTestFinished(async () => {
    await stream.drain();
    await stream.stop();
    await follower[Symbol.asyncDispose]();
  });
  if (options.url === undefined) await vi.waitFor(() => expect(stream.stats.connected).toBe(true));
  return { ...follower, stream };
}

/** A way that is there for as long as those who were started after it. */
async function openWayFor(url: string): Promise<Severable> {
  const way = await openWay(url);
  onTestFinished(() => way[Symbol.asyncDispose]());
  return way;
}

let lastId = 0n;
const end = (): { slot: number; id: bigint; digest: Buffer; reason: 'logout' } => ({
  slot: 1,
  id: ++lastId,
  digest: Buffer.alloc(32),
  reason: 'logout',
});
/** Puts an entry that is rightly made into the stream. */
const put = async (
  key: string,
  changes: readonly RevocationChange[],
  at = Date.now(),
  seal = deriveKey(masterKey, 'revocation-stream'),
): Promise<unknown> => {
  const { payload, mac } = sealEntry(seal, key, { at, changes });
  return redis.xAdd(key, '*', { p: payload, m: mac });
};
const sessionEnd = (id: bigint): RevocationChange => ({ kind: 'session', key: id.toString(), value: 0, seq: 1n });

test('an instance that is cut off from the control database hears of an end, and is no fresher for it', async () => {
  const key = newKey();
  const way = await openWayFor(control.url);
  const one = await start(key);
  const other = await start(key, {}, way.url);
  way.sever();
  const ended = end();
  await one.revocations.endSession(ended);
  await one.revocations.disableUser('ann', 'tester', 'a test');
  await vi.waitFor(() => expect([other.set.isSessionEnded(ended.id.toString()), other.set.isUserDisabled('ann')]).toEqual([true, true]));
  const stale = other.set.staleMs;
  await one.revocations.endSession(end());
  await vi.waitFor(() => expect(other.set.staleMs).toBeGreaterThan(stale + 10));
  way.mend();
  await vi.waitFor(() => expect(other.set.staleMs).toBeLessThan(stale + 10));
});

test('without Redis, and with one that comes and goes, nothing is missing', async () => {
  const key = newKey();
  const way = await openWayFor(inject('redisUrl'));
  way.sever();
  const one = await start(key, { url: way.url });
  const other = await start(key, { url: way.url });
  const told = async (): Promise<void> => {
    const ended = end();
    const seq = await one.revocations.endSession(ended);
    expect(await one.revocations.propagated(seq)).toBe(true);
    expect(other.set.isSessionEnded(ended.id.toString())).toBe(true);
  };
  await told();
  expect(one.stream.stats).toMatchObject({ published: 0, dropped: 1, connected: false });
  way.mend();
  await vi.waitFor(async () => {
    await told();
    expect([one.stream.stats.published > 0, other.stream.stats.applied > 0]).toEqual([true, true]);
  });
  way.sever();
  await vi.waitFor(() => expect(other.stream.stats.connected).toBe(false));
  await told();
  way.mend();
  const { applied } = other.stream.stats;
  await vi.waitFor(async () => {
    await told();
    expect(other.stream.stats.applied).toBeGreaterThan(applied);
  });
});

test('what somebody else puts into the stream ends nothing', async () => {
  const key = newKey();
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
  const { set, stream } = await start(key, { log });
  const victim = 900_001n;
  const forged = [
    { p: '[1,0,[["session","900001",0,1]]]', m: '' },
    { p: '[1,0,[["session","900001",0,1]]]', m: randomBytes(32).toString('base64url') },
    { m: 'x', p: '[]' },
    { kind: 'session', key: '900001' },
    { p: 'x'.repeat(2_000_000), m: 'x' },
    { p: '\0', m: '\0' },
  ];
  for (const fields of forged) await redis.xAdd(key, '*', fields);
  await put(key, [sessionEnd(victim)], Date.now(), deriveKey(Buffer.alloc(32, 4), 'revocation-stream'));
  // Rightly made for another stream: of a copy of the system on the same Redis.
  const { payload, mac } = sealEntry(deriveKey(masterKey, 'revocation-stream'), 'elsewhere', {
    at: Date.now(),
    changes: [sessionEnd(victim)],
  });
  await redis.xAdd(key, '*', { p: payload, m: mac });
  await vi.waitFor(() => expect(stream.stats.refused).toBe(forged.length + 2));
  // Rightly made, and put there again long after.
  await put(key, [sessionEnd(victim)], Date.now() - 3_600_000);
  await vi.waitFor(() => expect(stream.stats.outdated).toBe(1));
  expect([set.isSessionEnded(victim.toString()), stream.stats.applied]).toEqual([false, 0]);
  expect(warnings).toHaveLength(1);
  await put(key, [sessionEnd(victim)]);
  await vi.waitFor(() => expect(set.isSessionEnded(victim.toString())).toBe(true));
});

test('doubled and late entries change nothing that came after them', async () => {
  const key = newKey();
  const one = await start(key);
  const other = await start(key);
  const { seq } = await one.revocations.disableUser('bob', 'tester', 'a test');
  await one.revocations.raiseIssuerNotBefore(2000, 'tester', 'a test');
  const enabled = await one.revocations.enableUser('bob', 'tester', 'a test');
  await one.revocations.propagated(enabled ?? 0n);
  const { applied } = other.stream.stats;
  await put(key, [{ kind: 'issuer', key: '*', value: 1000, seq: 1n }]);
  for (let n = 0; n < 3; n++)
    await put(key, [
      { kind: 'disabled', key: 'bob', value: 1, seq },
      { kind: 'user', key: 'bob', value: 1, seq },
    ]);
  await vi.waitFor(() => expect(other.stream.stats.applied).toBeGreaterThanOrEqual(applied + 4));
  for (const { set } of [one, other])
    expect([set.isUserDisabled('bob'), set.minimumGeneration('bob'), set.issuerNotBefore]).toEqual([false, 1, 2000]);
});

test('a stream that is trimmed, deleted or replaced by something else is found again', async () => {
  const key = newKey();
  const one = await start(key);
  const other = await start(key);
  const heard = async (): Promise<void> => {
    const { applied } = other.stream.stats;
    await vi.waitFor(async () => {
      await one.revocations.endSession(end());
      expect(other.stream.stats.applied).toBeGreaterThan(applied);
    });
  };
  await heard();
  await redis.xTrim(key, 'MAXLEN', 0);
  await heard();
  // The highest id that there is: nobody can add anything behind it.
  await redis.xAdd(key, '18446744073709551615-18446744073709551615', { any: 'thing' });
  const ended = end();
  await one.revocations.propagated(await one.revocations.endSession(ended));
  expect(other.set.isSessionEnded(ended.id.toString())).toBe(true);
  await redis.del(key);
  await heard();
  await redis.del(key);
  await redis.set(key, 'not a stream');
  await vi.waitFor(() => expect(other.stream.stats.connected).toBe(false));
  await redis.del(key);
  await heard();
});

test('the stream stays as short as it is said', async () => {
  const key = newKey();
  const one = await start(key, { length: 100 });
  for (let n = 0; n < 400; n++) await one.revocations.endSession(end());
  await one.stream.drain();
  expect(one.stream.stats).toMatchObject({ published: 400, dropped: 0 });
  // Whole nodes of the stream are cut off.
  expect(await redis.xLen(key)).toBeLessThan(300);
});
