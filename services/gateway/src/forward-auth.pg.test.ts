import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { IdentitySigner, decodeIdentity } from '@wherry/http';
import { Workbench, newSession, raw, type RunningGateway } from './testing/workbench.ts';

const HOUR = 3_600_000;
let bench: Workbench;
let one: RunningGateway;
let two: RunningGateway;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const routes = [
    { prefix: '/public', upstream: 'http://127.0.0.1:9', auth: 'none' },
    { prefix: '/shop', upstream: 'http://127.0.0.1:9', auth: 'optional' },
  ] as const;
  one = await bench.gateway({ routes, forwardAuth: { uriHeader: 'X-Forwarded-Uri' } });
  two = await bench.gateway({ routes, upstreamSecrets: ['x'.repeat(32)] });
});
afterAll(async () => bench[Symbol.asyncDispose]());

async function check(gateway: RunningGateway, headers: Record<string, string>, path = '/auth'): Promise<Response> {
  return fetch(`${gateway.url}${path}`, { headers });
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe('the forward-auth check', () => {
  it('answers a token that any instance issued with the identity', async () => {
    const token = one.issue({ userId: 'ü,1', authorities: ['A,B', 'C'], username: 'ann' });
    for (let round = 0; round < 2; round++) {
      const answer = await check(two, bearer(token));
      expect(answer.status).toBe(200);
      expect(decodeIdentity(Object.fromEntries(answer.headers))).toEqual({
        userId: 'ü,1',
        authorities: ['A,B', 'C'],
        username: 'ann',
        clientId: 'web',
        kind: 'jwt',
      });
    }
  });

  it('signs the identity where a secret is shared', async () => {
    const answer = await check(two, bearer(one.issue()));
    const headers = Object.fromEntries(answer.headers);
    new IdentitySigner({ secrets: ['x'.repeat(32)] }).verify(headers);
    expect(() => new IdentitySigner({ secrets: ['y'.repeat(32)] }).verify(headers)).toThrow('wrong');
  });

  it.each([
    ['nothing', {}, 401, 'unauthenticated', 'Bearer'],
    ['another scheme', { authorization: 'Basic YTpi' }, 401, 'unauthenticated', 'Bearer'],
    ['an unknown text', bearer('abc'), 401, 'credential_unknown', 'Bearer error="invalid_token"'],
    ['an empty bearer', { authorization: 'Bearer ' }, 401, 'credential_unknown', 'Bearer error="invalid_token"'],
    ['two dots', bearer('..'), 401, 'token_header_invalid', 'Bearer error="invalid_token"'],
    ['a mistyped session token', bearer(`st_${'A'.repeat(47)}B`), 401, 'session_token_malformed', 'Bearer error="invalid_token"'],
    ['a token in the query', {}, 400, 'bad_request', 'Bearer error="invalid_request"', '/auth?access_token=a.b.c'],
    ['an endless header', bearer('a'.repeat(9000)), 400, 'bad_request', 'Bearer error="invalid_request"'],
  ])('refuses %s', async (_what, headers, status, code, challenge, path = '/auth') => {
    const answer = await check(one, headers, path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-wherry-reason')).toBe(code);
    expect(answer.headers.get('www-authenticate')).toBe(challenge);
    expect(await answer.json()).toMatchObject({ code, status });
  });

  it('refuses two Authorization headers, whichever of them is good', async () => {
    const good = `Authorization: Bearer ${one.issue()}\r\n`;
    for (const lines of [`${good}authorization: Bearer x\r\n`, `AUTHORIZATION: Basic x\r\n${good}`, `${good}${good}`]) {
      const answer = await raw(one.gateway.port, `GET /auth HTTP/1.1\r\nHost: a\r\n${lines}Connection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(answer).toContain('more than one Authorization');
    }
  });

  it('lets nobody pass where the original path allows it, and only there', async () => {
    const uri = (value: string): Record<string, string> => ({ 'x-forwarded-uri': value });
    expect((await check(one, uri('/public/a'))).status).toBe(200);
    expect((await check(one, uri('/shop/a'))).status).toBe(200);
    expect((await check(one, { ...uri('/shop'), ...bearer('a.b.c') })).status).toBe(401);
    expect((await check(one, uri('/publicity'))).status).toBe(401);
    expect((await check(one, uri('/public/../private'))).status).toBe(400);
    expect((await check(one, uri('/shop?access_token=x'))).status).toBe(400);
    expect((await check(one, uri('http://evil/public'))).status).toBe(400);
    const doubled = 'GET /auth HTTP/1.1\r\nHost: a\r\nX-Forwarded-Uri: /public\r\nx-forwarded-uri: /p\r\nConnection: close\r\n\r\n';
    expect(await raw(one.gateway.port, doubled)).toMatch(/^HTTP\/1.1 400 /);
    // Without being told which header the proxy sets, none is believed.
    expect((await check(two, uri('/public/a'))).status).toBe(401);
  });
});

describe('what ends a token', () => {
  it('is felt on every gateway when the end of the session has been acknowledged', async () => {
    const { key } = await newSession(one);
    const token = one.issue({ sessionId: key.id });
    for (const gateway of [one, two]) expect((await check(gateway, bearer(token))).status).toBe(200);
    const seq = await one.runtime.revocations.endSession({ slot: key.slot, id: key.id, digest: key.digest, reason: 'logout' });
    expect(await one.runtime.revocations.propagated(seq)).toBe(true);
    for (const gateway of [one, two]) {
      const answer = await check(gateway, bearer(token));
      expect([answer.status, answer.headers.get('x-wherry-reason')]).toEqual([401, 'token_session_ended']);
    }
  });

  it('is a raised generation, for tokens and for session tokens', async () => {
    const { token: sessionToken } = await newSession(one, { userId: 'gen' });
    const token = one.issue({ userId: 'gen' });
    for (const credential of [token, sessionToken]) expect((await check(two, bearer(credential))).status).toBe(200);
    const { seq } = await one.runtime.revocations.raiseGeneration('gen', 'test', 'disabled');
    expect(await one.runtime.revocations.propagated(seq)).toBe(true);
    expect((await check(two, bearer(token))).headers.get('x-wherry-reason')).toBe('token_generation_old');
    expect((await check(two, bearer(sessionToken))).headers.get('x-wherry-reason')).toBe('session_ended');
  });

  it('is the removal of its key, also for a token that was seen before', async () => {
    const token = one.issue();
    expect((await check(two, bearer(token))).status).toBe(200);
    const [key] = await bench.keys.list();
    await bench.keys.rotate('ES256', { actor: 'test' });
    const { seq } = await bench.keys.remove(key?.kid ?? '', { actor: 'test' });
    expect(await two.runtime.instance.acknowledged('signing-key', seq, PATIENT_MS)).toBe(true);
    await vi.waitFor(async () => expect((await check(two, bearer(token))).headers.get('x-wherry-reason')).toBe('token_key_unknown'));
    await vi.waitFor(async () => {
      await bench.keys.maintain();
      expect(one.issue()).toBeTypeOf('string');
    });
  });
});

describe('session tokens', () => {
  it('are answered from the target, and from memory after that', async () => {
    const { token, key } = await newSession(one, { authorities: ['ROLE_A', 'orders:read'] });
    for (let round = 0; round < 3; round++) {
      const answer = await check(one, bearer(token));
      expect(answer.status).toBe(200);
      expect(decodeIdentity(Object.fromEntries(answer.headers))).toEqual({
        userId: '42',
        username: 'ann',
        authorities: ['ROLE_A', 'orders:read'],
        kind: 'session',
        sessionId: key.id.toString(),
      });
    }
    expect(await one.page()).toMatch(/wherry_gateway_memory_total\{memory="session",result="hit"\} [2-9]/);
  });

  it('end everywhere at once, remembered or not', async () => {
    const { token, key } = await newSession(one);
    for (const gateway of [one, two]) expect((await check(gateway, bearer(token))).status).toBe(200);
    const seq = await one.runtime.revocations.endSession({ slot: key.slot, id: key.id, digest: key.digest, reason: 'logout' });
    expect(await one.runtime.revocations.propagated(seq)).toBe(true);
    for (const gateway of [one, two]) expect((await check(gateway, bearer(token))).headers.get('x-wherry-reason')).toBe('session_ended');
  });

  it('run out on time, remembered or not', async () => {
    // Where the machine stood still for all of its life, a longer one is tried.
    const seenAlive = async (lifeMs: number): Promise<string> => {
      const { token } = await newSession(one, { expireTime: Date.now() + lifeMs });
      return (await check(one, bearer(token))).status === 200 ? token : seenAlive(2 * lifeMs);
    };
    const token = await seenAlive(400);
    await vi.waitFor(async () => expect((await check(one, bearer(token))).headers.get('x-wherry-reason')).toBe('session_unknown'));
  });

  it('open nothing with another secret, nor a session that was carried over', async () => {
    const { mintSessionToken } = await import('@wherry/sessions');
    const { key } = await newSession(one);
    expect((await check(one, bearer(mintSessionToken(key.id).token))).headers.get('x-wherry-reason')).toBe('session_unknown');
    const carried = await newSession(one, { sourceRef: Buffer.from('sealed') });
    expect((await check(one, bearer(carried.token))).headers.get('x-wherry-reason')).toBe('session_unknown');
  });

  it('are touched when a quarter of the idle time has passed, once, and not before', async () => {
    const now = Date.now();
    const old = await newSession(one, { lastAccessTime: now - HOUR, expireTime: now + HOUR, touchVersion: now - HOUR });
    const young = await newSession(one, { lastAccessTime: now, expireTime: now + HOUR });
    const jwt = one.issue({ sessionId: old.key.id });
    for (const token of [old.token, jwt, young.token, old.token, jwt]) expect((await check(one, bearer(token))).status).toBe(200);
    await vi.waitFor(async () => {
      const read = await one.runtime.target.get(old.key);
      if (read.state !== 'live') throw new Error('gone');
      expect(read.record.expireTime).toBeGreaterThanOrEqual(now + 2 * HOUR);
      expect(read.record.lastAccessTime).toBeGreaterThanOrEqual(now);
    });
    expect(await one.runtime.target.get(young.key)).toMatchObject({ record: { expireTime: now + HOUR } });
    expect(await one.page()).toMatch(/wherry_gateway_touches_total\{result="written"\} 1\n/);
  });
});
