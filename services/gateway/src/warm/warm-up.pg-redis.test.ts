import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { ExpressCookie, carriedSessionKey, readHotSessions, readSessionMemory, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { beginClosing, closeOnShard, commitSide, openOnShard, readSlotMap } from '@wherry/shards';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { Workbench, newSession, type RunningGateway } from '../testing/workbench.ts';

const HOUR = 3_600_000;
const REPORT_MS = 50;
const cookie = new ExpressCookie({ secrets: ['keyboard cat'] });
let bench: Workbench;
let source: SourceStore;
let gateway: RunningGateway;
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'), 'source');
  source = createRedisSource({ url: inject('redisUrl'), prefix: `${randomBytes(6).toString('hex')}:`, timeoutMs: PATIENT_MS });
  gateway = await start();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await source.close();
});

const start = (): Promise<RunningGateway> => bench.gateway({ source, cookie, sessionCache: { ttlMs: HOUR, reportMs: REPORT_MS } });
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { interval: 10, timeout: PATIENT_MS });

async function saved(user: number): Promise<string> {
  const rawId = randomBytes(18).toString('base64url');
  const value = { cookie: { originalMaxAge: HOUR, path: '/' }, user: { id: user, name: `user${user}`, roles: ['USER'] } };
  expect(await gateway.carried!.save(rawId, JSON.stringify(value), HOUR)).toBe('saved');
  return rawId;
}
async function ask({ url }: RunningGateway, headers: Record<string, string>): Promise<string> {
  const answer = await fetch(`${url}/auth`, { headers });
  return `${answer.status} ${answer.headers.get('x-wherry-user-id') ?? answer.headers.get('x-wherry-reason')}`;
}
async function figure({ page }: RunningGateway, name: string): Promise<number> {
  const line = (await page()).split('\n').find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}
const misses = (of: RunningGateway): Promise<number> => figure(of, 'wherry_gateway_memory_total{memory="session",result="miss"}');
const warmed = (of: RunningGateway): Promise<number> => figure(of, 'wherry_gateway_warmed_total');

/** Makes the target the primary side of these sessions' slots, as the switch does. */
async function switchToTarget(rawIds: readonly string[]): Promise<void> {
  const slots = [...new Set(rawIds.map((rawId) => carriedSessionKey(rawId).slot))];
  const entries = await readSlotMap(bench.control, slots);
  const closing = await beginClosing(
    bench.control,
    slots,
    entries.map(({ epoch }) => epoch),
    HOUR,
  );
  for (const { slot, epoch, shard } of entries) await closeOnShard(gateway.shards.shard(shard).database, [slot], [epoch], closing.seq);
  const seq = await commitSide(bench.control, closing, { side: 'target' });
  for (const { slot, epoch, shard } of entries) await openOnShard(gateway.shards.shard(shard).database, [slot], [epoch + 1], 'target', seq);
}

describe('a gateway whose slots change their side', () => {
  it('has the sessions that are asked for in memory before they are asked for again', async () => {
    const [hot, cold, ended] = [await saved(1), await saved(2), await saved(3)];
    for (let n = 0; n < 20; n++)
      for (const rawId of [hot, ended]) expect(await ask(gateway, { cookie: cookie.build(rawId) })).toMatch(/^200/);
    await gateway.carried!.end(ended, 'logout');
    await switchToTarget([hot, cold, ended]);
    await until(async () => expect(await warmed(gateway)).toBe(1));
    const before = await misses(gateway);
    expect(await ask(gateway, { cookie: cookie.build(hot) })).toBe('200 1');
    expect(await misses(gateway)).toBe(before);
    expect(await ask(gateway, { cookie: cookie.build(cold) })).toBe('200 2');
    expect(await misses(gateway)).toBe(before + 1);
    expect(await ask(gateway, { cookie: cookie.build(ended) })).toBe('401 session_ended');
    // What was read ahead is ended as anything else is.
    await gateway.carried!.end(hot, 'logout');
    await until(async () => expect(await ask(gateway, { cookie: cookie.build(hot) })).toBe('401 session_ended'));
  });

  it('tells others, and one that starts begins with what is hot', async () => {
    const [rawId, session] = [await saved(7), await newSession(gateway, { userId: '8' })];
    await switchToTarget([rawId]);
    const headers = { cookie: { cookie: cookie.build(rawId) }, token: { authorization: `Bearer ${session.token}` } };
    for (let n = 0; n < 30; n++) {
      expect(await ask(gateway, headers.cookie)).toBe('200 7');
      expect(await ask(gateway, headers.token)).toBe('200 8');
    }
    const ids = new Set([carriedSessionKey(rawId).id, session.key.id]);
    await until(async () => expect(new Set((await readHotSessions(bench.control, 2)).map(({ key }) => key.id))).toEqual(ids));
    const text = JSON.stringify((await bench.control.query('SELECT h::text FROM hot_session h')).rows);
    expect(text).not.toContain(rawId);
    expect(text).not.toContain(session.token);

    const another = await start();
    await until(async () => expect(await warmed(another)).toBeGreaterThanOrEqual(2));
    expect([await ask(another, headers.cookie), await ask(another, headers.token)]).toEqual(['200 7', '200 8']);
    expect(await misses(another)).toBe(0);
    await until(async () => expect((await readSessionMemory(bench.control)).warmed).toBeGreaterThanOrEqual(3));
    // A digest proves nothing: the cookie of another signer names the same session and is nobody's.
    const forged = new ExpressCookie({ secrets: ['another'] }).build(rawId);
    expect(await ask(another, { cookie: forged })).toBe('401 session_cookie_invalid');
  });
});
