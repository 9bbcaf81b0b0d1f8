import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { ExpressCookie, carriedSessionKey, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { Workbench, type RunningGateway } from './testing/workbench.ts';

const HOUR = 3_600_000;
const cookie = new ExpressCookie({ secrets: ['keyboard cat'] });
let bench: Workbench;
let source: SourceStore;
/** Two that believe what they remember, and one that never does: as when it is cut off from the control database. */
let one: RunningGateway;
let two: RunningGateway;
let stale: RunningGateway;

describe.each(['source', 'target'] as const)('a session that changes while the %s is primary', (side) => {
  beforeAll(async () => {
    bench = await Workbench.create(inject('postgresUrl'), side);
    source = createRedisSource({ url: inject('redisUrl'), prefix: `${randomBytes(6).toString('hex')}:`, timeoutMs: PATIENT_MS });
    const remembering = { source, cookie, sessionCache: { source: true, ttlMs: HOUR } };
    one = await bench.gateway(remembering);
    two = await bench.gateway(remembering);
    stale = await bench.gateway({ source, cookie, freshMs: -1 });
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
    await source.close();
  });

  const save = async (rawId: string, id: number | null, ...roles: string[]): Promise<void> => {
    const user = id === null ? {} : { user: { id, name: `user${id}`, roles } };
    expect(await one.carried!.save(rawId, JSON.stringify({ cookie: { originalMaxAge: HOUR, path: '/' }, ...user }), HOUR)).toBe('saved');
  };
  /** As auth issues it from a reading of this moment. */
  const issue = async (rawId: string): Promise<string> => {
    const read = await one.carried!.carry(rawId);
    if (read.state !== 'live' || read.userId === null) throw new Error('nobody is signed in');
    const issuedAt = Math.max(Math.floor(Date.now() / 1000), read.tokensNotBefore + 1);
    return one.issue({ sessionId: read.key.id, userId: read.userId, authorities: read.authorities, issuedAt });
  };
  const check = async ({ url }: RunningGateway, headers: Record<string, string>): Promise<string> => {
    const answer = await fetch(`${url}/auth`, { headers });
    return answer.ok
      ? `${answer.status} ${answer.headers.get('x-wherry-authorities')}`
      : `${answer.status} ${answer.headers.get('x-wherry-reason')}`;
  };
  const byToken = async (token: string): Promise<string[]> =>
    Promise.all([one, two, stale].map(async (gateway) => check(gateway, { authorization: `Bearer ${token}` })));
  const byCookie = async (rawId: string): Promise<string[]> =>
    Promise.all([one, two, stale].map(async (gateway) => check(gateway, { cookie: cookie.build(rawId) })));
  const all = (outcome: string): string[] => [outcome, outcome, outcome];
  const newId = (): string => randomBytes(18).toString('base64url');

  it('refuses its tokens of before everywhere once a loss is acknowledged, and goes on itself', async () => {
    const [rawId, other] = [newId(), newId()];
    for (const id of [rawId, other]) await save(id, 42, 'USER', 'ADMIN');
    const [token, others] = [await issue(rawId), await issue(other)];
    expect(await byToken(token)).toEqual(all('200 USER,ADMIN'));
    expect(await byCookie(rawId)).toEqual(all('200 USER,ADMIN'));
    await save(rawId, 42, 'USER');
    expect(await byToken(token)).toEqual(all('401 token_session_changed'));
    // Not after a minute, when the memory of the cookie's session ends: at once.
    expect(await byCookie(rawId)).toEqual(all('200 USER'));
    expect(await byToken(await issue(rawId))).toEqual(all('200 USER'));
    // Another session of the same user has what it had: an application that asks for more in one signs nobody out in another.
    expect(await byToken(others)).toEqual(all('200 USER,ADMIN'));
    expect(await byCookie(other)).toEqual(all('200 USER,ADMIN'));
  });

  it('refuses its tokens of before a gain, so that it is seen at once', async () => {
    const rawId = newId();
    await save(rawId, 43, 'USER');
    const token = await issue(rawId);
    await save(rawId, 43, 'ADMIN', 'USER');
    expect(await byToken(token)).toEqual(all('401 token_session_changed'));
    expect(await byToken(await issue(rawId))).toEqual(all('200 ADMIN,USER'));
    expect(await byCookie(rawId)).toEqual(all('200 ADMIN,USER'));
  });

  it('refuses its tokens of another user, and of one who has signed out of it', async () => {
    const rawId = newId();
    await save(rawId, 44, 'USER');
    const token = await issue(rawId);
    await save(rawId, 45, 'USER');
    expect(await byToken(token)).toEqual(all('401 token_session_changed'));
    const next = await issue(rawId);
    expect(await byToken(next)).toEqual(all('200 USER'));
    await save(rawId, null);
    expect(await byToken(next)).toEqual(all('401 token_session_changed'));
    expect(await byCookie(rawId)).toEqual(all('401 unauthenticated'));
    await save(rawId, 44, 'USER');
    expect(await byToken(token)).toEqual(all('401 token_session_changed'));
    expect(await byToken(next)).toEqual(all('401 token_session_changed'));
    expect(await byToken(await issue(rawId))).toEqual(all('200 USER'));
  });

  it('gives a token that holds after every change, however fast they come, and none of before', async () => {
    const rawId = newId();
    const tokens: string[] = [];
    for (let n = 0; n < 5; n++) {
      await save(rawId, 46, `ROLE_${n}`);
      tokens.push(await issue(rawId));
      const outcomes = await Promise.all(tokens.map(async (token) => check(two, { authorization: `Bearer ${token}` })));
      expect(outcomes).toEqual([...Array.from({ length: n }, () => '401 token_session_changed'), `200 ROLE_${n}`]);
    }
  });

  it('is what decides where there are no news: nobody does more by a token than it says, and may do less', async () => {
    const rawId = newId();
    await save(rawId, 47, 'USER', 'AUDITOR');
    await one.carried!.carry(rawId);
    const { id: sessionId } = carriedSessionKey(rawId);
    const judged = async (userId: string, ...authorities: string[]): Promise<string> =>
      check(stale, { authorization: `Bearer ${one.issue({ sessionId, userId, authorities })}` });
    expect(await judged('47', 'AUDITOR', 'USER')).toBe('200 AUDITOR,USER');
    expect(await judged('47', 'USER')).toBe('200 USER');
    expect(await judged('47')).toBe('200 ');
    expect(await judged('47', 'USER', 'ADMIN')).toBe('401 token_session_changed');
    expect(await judged('48', 'USER')).toMatch(/^401 token_session_/);
  });
});
