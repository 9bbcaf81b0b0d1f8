import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { decodeIdentity } from '@wherry/http';
import { ExpressCookie, carriedSessionKey, type CarriedSessions, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { SLOT_MAP_TOPIC, beginClosing, closeOnShard, commitSide, openOnShard } from '@wherry/shards';
import { Workbench, newSession, type RunningGateway } from './testing/workbench.ts';

const HOUR = 3_600_000;
const cookie = new ExpressCookie({ secrets: ['keyboard cat'] });
let bench: Workbench;
let source: SourceStore;
let one: RunningGateway;
let two: RunningGateway;
/** Never believes a memory: as when it is cut off from the control database. */
let stale: RunningGateway;
let writer: CarriedSessions;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'), 'source');
  source = createRedisSource({
    url: inject('redisUrl'),
    prefix: `${randomBytes(6).toString('hex')}:`,
    timeoutMs: PATIENT_MS,
  });
  one = await bench.gateway({ source, cookie });
  two = await bench.gateway({ source, cookie, sessionCache: { source: true, ttlMs: HOUR } });
  stale = await bench.gateway({ source, cookie, freshMs: -1 });
  writer = one.carried!;
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await source.close();
});

async function signIn(user: Record<string, unknown> | null = { id: 42, name: 'ann', roles: ['ROLE_USER'] }, ttlMs = HOUR): Promise<string> {
  const rawId = randomBytes(18).toString('base64url');
  const value = JSON.stringify({ cookie: { originalMaxAge: ttlMs, path: '/' }, ...(user === null ? {} : { user }) });
  await writer.save(rawId, value, ttlMs);
  return rawId;
}

const withCookie = (rawId: string): Record<string, string> => ({ cookie: `a=b; ${cookie.build(rawId)}` });
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function check(
  { url }: RunningGateway,
  headers: Record<string, string>,
): Promise<{ status: number; code: string | null; answer: Response }> {
  const answer = await fetch(`${url}/auth`, { headers });
  return { status: answer.status, code: answer.headers.get('x-wherry-reason'), answer };
}

describe('a carried-over session', () => {
  it('signs its user in by the cookie of the application', async () => {
    const rawId = await signIn();
    for (const gateway of [one, two, two, stale]) {
      const { status, answer } = await check(gateway, withCookie(rawId));
      expect(status).toBe(200);
      expect(decodeIdentity(Object.fromEntries(answer.headers))).toEqual({
        userId: '42',
        username: 'ann',
        authorities: ['ROLE_USER'],
        kind: 'session',
        sessionId: carriedSessionKey(rawId).id.toString(),
      });
    }
  });

  it('is refused with a reason where the cookie is not signed, unknown or of nobody', async () => {
    const rawId = await signIn();
    const forged = new ExpressCookie({ secrets: ['another cat'] }).build(rawId);
    expect(await check(one, { cookie: forged })).toMatchObject({ status: 401, code: 'session_cookie_invalid' });
    expect(await check(one, withCookie('nothing'))).toMatchObject({ status: 401, code: 'session_unknown' });
    expect(await check(one, withCookie(await signIn(null)))).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(await check(one, withCookie(await signIn({ id: { no: 'id' } })))).toMatchObject({ status: 500, code: 'session_undecodable' });
  });

  it('ends everywhere when its end is acknowledged, remembered or not', async () => {
    const rawId = await signIn();
    for (const gateway of [one, two]) expect((await check(gateway, withCookie(rawId))).status).toBe(200);
    expect(await writer.end(rawId, 'logout')).toEqual({ propagated: true });
    for (const gateway of [one, two, stale]) {
      expect(await check(gateway, withCookie(rawId))).toMatchObject({ status: 401, code: 'session_ended' });
    }
  });

  it('is not remembered from the source unless every writer tells of its ends', async () => {
    const rawId = await signIn();
    for (const gateway of [one, two]) expect((await check(gateway, withCookie(rawId))).status).toBe(200);
    // As an application does that nobody has instrumented.
    await source.end(rawId, HOUR, 0);
    expect((await check(one, withCookie(rawId))).status).toBe(401);
    expect((await check(two, withCookie(rawId))).status).toBe(200);
  });
});

describe('a slot that changes sides', () => {
  it('takes what was remembered of its sessions with it', async () => {
    const live = await signIn();
    const gone = await signIn();
    const goneKey = carriedSessionKey(gone);
    for (const rawId of [live, gone]) expect((await check(two, withCookie(rawId))).status).toBe(200);
    // Not an end that anybody is told of: only the row says so, and only its side may be believed.
    await one.runtime.target.end(goneKey, Date.now());
    expect((await check(two, withCookie(gone))).status).toBe(200);
    for (const { slot } of [carriedSessionKey(live), goneKey]) await switchToTarget(slot);
    expect((await check(two, withCookie(live))).status).toBe(200);
    expect(await check(two, withCookie(gone))).toMatchObject({ status: 401, code: 'session_ended' });
  });
});

/** As the migration does it, for one slot. */
async function switchToTarget(slot: number): Promise<void> {
  const { runtime, shards } = two;
  const { epoch, shard } = runtime.slots.entry(slot);
  const { database } = shards.shard(shard);
  const closing = await beginClosing(bench.control, [slot], [epoch], HOUR);
  await closeOnShard(database, [slot], [epoch], closing.seq);
  const seq = await commitSide(bench.control, closing, { side: 'target' });
  await openOnShard(database, [slot], [epoch + 1], 'target', seq);
  expect(await runtime.instance.acknowledged(SLOT_MAP_TOPIC, seq, PATIENT_MS)).toBe(true);
}

describe('a token beside a cookie', () => {
  it('decides, and what the session would have said is counted', async () => {
    const rawId = await signIn();
    const { id: sessionId } = carriedSessionKey(rawId);
    const cases = [
      ['same', one.issue({ sessionId })],
      ['authorities', one.issue({ sessionId, authorities: ['ROLE_ADMIN'] })],
      ['user', one.issue({ sessionId, userId: '43' })],
    ] as const;
    for (const [difference, token] of cases) {
      expect((await check(one, { ...withCookie(rawId), ...bearer(token) })).status).toBe(200);
      const line = new RegExp(`wherry_gateway_compared_total\\{difference="${difference}"\\} 1\\n`);
      await vi.waitFor(async () => expect(await one.page()).toMatch(line));
    }
    const expired = one.issue({ issuedAt: Math.floor(Date.now() / 1000) - 3000 });
    expect(await check(one, { ...withCookie(rawId), ...bearer(expired) })).toMatchObject({ status: 401, code: 'token_expired' });
    expect(await check(one, { ...withCookie(rawId), ...bearer('x') })).toMatchObject({ status: 401, code: 'credential_unknown' });
  });

  it('keeps the session alive in the source', async () => {
    const rawId = await signIn({ id: 42, name: 'ann', roles: [] });
    // As if it had last been used half its idle time ago.
    await source.touch(rawId, HOUR / 2, 1);
    await writer.carry(rawId);
    const token = one.issue({ sessionId: carriedSessionKey(rawId).id });
    const [before] = await source.get([rawId]);
    await vi.waitFor(
      async () => {
        expect((await check(one, bearer(token))).status).toBe(200);
        const [now] = await source.get([rawId]);
        expect(now!.expireTime!).toBeGreaterThan(before!.expireTime! + HOUR / 4);
      },
      { interval: 100 },
    );
  });
});

describe('a token without news of revocations', () => {
  it('is judged by its session', async () => {
    // As an application writes that nobody has instrumented: to the source alone.
    const rawId = randomBytes(18).toString('base64url');
    await source.save(rawId, JSON.stringify({ cookie: {}, user: { id: 42, name: 'ann', roles: ['ROLE_USER'] } }), HOUR, 0);
    const { id, slot } = carriedSessionKey(rawId);
    const token = one.issue({ sessionId: id });
    // The row is not there, and the source cannot be asked by an id alone.
    expect(await check(stale, bearer(token))).toMatchObject({ status: 503, code: 'revocations_stale' });
    await writer.carry(rawId);
    expect((await check(stale, bearer(token))).status).toBe(200);
    expect(await check(stale, bearer(one.issue()))).toMatchObject({ status: 503, code: 'revocations_stale' });
    const { answer } = await check(stale, bearer(one.issue()));
    expect(answer.headers.get('retry-after')).toBe('1');
    // The target has not heard of it yet.
    await source.end(rawId, HOUR, 0);
    expect(await check(stale, bearer(token))).toMatchObject({ status: 401, code: 'token_session_ended' });
    expect((await stale.runtime.target.getById(slot, id)).state).toBe('live');
  });

  it('is judged by the row of a session that was born here', async () => {
    const live = await newSession(one);
    const old = await newSession(one, { userGeneration: 3 });
    const over = await newSession(one, { expireTime: Date.now() - HOUR });
    expect((await check(stale, bearer(one.issue({ sessionId: live.key.id })))).status).toBe(200);
    expect((await check(stale, bearer(live.token))).status).toBe(200);
    expect((await check(stale, bearer(one.issue({ sessionId: old.key.id, generation: 2 })))).code).toBe('token_generation_old');
    expect((await check(stale, bearer(one.issue({ sessionId: over.key.id })))).code).toBe('token_session_ended');
    await one.runtime.target.end(live.key, Date.now());
    expect((await check(stale, bearer(one.issue({ sessionId: live.key.id })))).code).toBe('token_session_ended');
    expect((await check(stale, bearer(live.token))).code).toBe('session_ended');
  });
});

describe('a store that does not answer', () => {
  it('is 503 with Retry-After for those whose session lies there, and nothing for the others', async () => {
    const away = createRedisSource({ url: 'redis://127.0.0.1:9', prefix: 'x:', timeoutMs: 300 });
    try {
      const gateway = await bench.gateway({ source: away, cookie });
      const { status, code, answer } = await check(gateway, withCookie('any'));
      expect([status, code]).toEqual([503, 'source_unavailable']);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect((await check(gateway, bearer(one.issue()))).status).toBe(200);
      const { token } = await newSession(one);
      expect((await check(gateway, bearer(token))).status).toBe(200);
      const shardless = await bench.gateway({ source, cookie, shardUrl: 'postgres://nobody@127.0.0.1:9/none' });
      expect(await check(shardless, bearer(token))).toMatchObject({ status: 503, code: 'shard_unavailable' });
      expect((await check(shardless, bearer(one.issue()))).status).toBe(200);
    } finally {
      await away.close();
    }
  });
});
