import { PATIENT_MS } from '@wherry/embedded/testing';
import { advance } from '@wherry/rollout';
import { ExpressCookie, carriedSessionKey, expressJsonDecoder, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { beginClosing, commitSide, installSlotMap } from '@wherry/shards';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { LegacySource } from './options.ts';
import type { Cluster } from '@wherry/shards/testing';
import { startAuthCluster } from './testing/cluster.ts';
import { COOKIE_SECRET, startLegacyApp, type LegacyApp } from './testing/legacy-app.ts';
import { EXCHANGE, startService, type Answer, type Running } from './testing/service.ts';

/** Shorter than the life of an access token, so that its cap shows. */
const TTL_SECONDS = 120;
/** A process reckons the database's clock, and is wrong by up to half of the time that asking for it took. */
const CLOCKS_MS = 10_000;
/** The seconds of a whole life, rounded at both ends, give or take what has passed since `begun`. */
const wholeLife = (begun: number): unknown =>
  expect.toSatisfy((seconds: number) => Math.abs(seconds - TTL_SECONDS) <= 1 + (CLOCKS_MS + performance.now() - begun) / 1000);
const PREFIX = `auth-${randomUUID()}:`;
const cookie = new ExpressCookie({ secrets: [COOKIE_SECRET] });
const decode = expressJsonDecoder({
  identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] },
});

describe.each(['source', 'target'] as const)('a legacy session whose primary side is the %s', (side) => {
  let cluster: Cluster;
  let app: LegacyApp;
  let store: SourceStore;
  let auth: Running;
  beforeAll(async () => {
    cluster = await startAuthCluster(inject('postgresUrl'), 'source');
    await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
    app = await startLegacyApp(inject('redisUrl'), PREFIX, TTL_SECONDS);
    store = createRedisSource({ url: inject('redisUrl'), prefix: PREFIX, timeoutMs: PATIENT_MS });
    auth = await startService(cluster, { source: { store, decode, cookie } satisfies LegacySource });
  });
  afterAll(async () => {
    await auth[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
    await store.close();
    await cluster[Symbol.asyncDispose]();
  });

  const plain = (value: string): string => decodeURIComponent(value);
  const rawIdOf = (value: string): string => {
    const reading = cookie.verify(plain(value));
    if (reading.outcome !== 'verified') throw new Error('the cookie does not verify');
    return reading.rawId;
  };
  /** A signed-in session, carried over where the target is to be primary. */
  const signIn = async (n: number): Promise<string> => {
    const value = await app.signIn(n);
    if (side === 'source') return value;
    const { slot } = carriedSessionKey(rawIdOf(value));
    const { epoch, side: primary } = auth.service.runtime.slots.entry(slot);
    // The application writes to the source alone, so its new session has to lie in a slot that has not been switched.
    if (primary === 'target') return signIn(n);
    await exchange(value);
    const closing = await beginClosing(cluster.control, [slot], [epoch], 3_600_000);
    await commitSide(cluster.control, closing, { side: 'target' });
    await installSlotMap(
      cluster.control,
      cluster.shards.all.map(({ database }) => database),
    );
    await auth.service.runtime.slots.refresh();
    return value;
  };
  const exchange = async (value: string): Promise<Answer> =>
    auth.exchange({ grant_type: EXCHANGE, subject_token: value, subject_token_type: 'urn:wherry:token-type:legacy-cookie' });
  const tokenOf = async (value: string): Promise<string> => String((await exchange(value)).body['access_token']);
  const whoami = async (value: string): Promise<Answer> => auth.send('GET', '/v1/whoami', { headers: { cookie: `connect.sid=${value}` } });
  const claims = (token: unknown): Record<string, unknown> =>
    JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString());
  const codeOf = ({ status, body }: Answer): string =>
    [status, ...[body['error'], body['code']].filter((part) => typeof part === 'string')].join(' ');

  it('is exchanged, percent-encoded or not, for a token of that very session', async () => {
    const begun = performance.now();
    const value = await signIn(7);
    expect(value).toMatch(/^s%3A/);
    const answers = [await exchange(value), await exchange(plain(value)), await exchange(value)];
    const key = carriedSessionKey(rawIdOf(value));
    for (const { status, body } of answers) {
      expect([status, body['expires_in']]).toEqual([200, wholeLife(begun)]);
      expect(claims(body['access_token'])).toMatchObject({
        sub: '10007',
        userId: 10_007,
        username: 'user7',
        sid: key.id.toString(),
        gen: 0,
        client_id: 'public',
        authorities: expect.arrayContaining(['member', 'editor']),
      });
    }
    const { body } = await whoami(value);
    const issued = claims(answers[0]?.body['access_token']);
    expect(body).toMatchObject({ userId: 10_007, kind: 'session', sessionId: issued['sid'], authorities: issued['authorities'] });
    expect(await auth.service.runtime.target.get(key)).toMatchObject({ state: 'live', record: { userId: '10007', username: 'user7' } });
    const byToken = await auth.send('GET', '/v1/whoami', { bearer: String(answers[1]?.body['access_token']) });
    expect(byToken.body).toMatchObject({ userId: 10_007, kind: 'jwt', sessionId: issued['sid'] });
  });

  it('is used by an exchange, so that its life begins anew on the primary side', async () => {
    const begun = performance.now();
    const value = await signIn(8);
    const key = carriedSessionKey(rawIdOf(value));
    const { target, now } = auth.service.runtime;
    // Touches are ordered by the millisecond: of two in the same one the second is not newer.
    const later = async (): Promise<void> => {
      const before = now();
      await vi.waitFor(() => expect(now()).toBeGreaterThan(before + 1), { interval: 1 });
    };
    const expireTime = async (): Promise<number> => {
      if (side === 'source') return (await store.get([rawIdOf(value)]))[0]?.expireTime ?? 0;
      await target.flush();
      const read = await target.get(key);
      return read.state === 'live' ? (read.record.expireTime ?? 0) : 0;
    };
    await later();
    const soon = now() + 20_000;
    if (side === 'source') await store.touch(rawIdOf(value), 20_000, 0);
    else await target.touchNow(key, { lastAccessTime: soon - TTL_SECONDS * 1000, expireTime: soon, touchVersion: now() });
    const shortened = await expireTime();
    expect(shortened).toBeGreaterThanOrEqual(soon - CLOCKS_MS);
    expect(shortened).toBeLessThanOrEqual(now() + 20_000 + CLOCKS_MS);
    await later();
    const asked = now();
    expect((await exchange(value)).body['expires_in']).toEqual(wholeLife(begun));
    expect(await expireTime()).toBeGreaterThanOrEqual(asked + TTL_SECONDS * 1000 - CLOCKS_MS);
  });

  it('is refused when it is not there, not signed, not anybody’s, or unreadable', async () => {
    const value = await signIn(9);
    const save = async (text: string): Promise<string> => {
      const rawId = randomUUID();
      await store.save(rawId, text, 3_600_000, 0);
      return cookie.build(rawId).slice('connect.sid='.length);
    };
    const absent = cookie.build(randomUUID()).slice('connect.sid='.length);
    expect(codeOf(await exchange(absent))).toBe('400 invalid_grant session_unknown');
    expect(codeOf(await exchange(`${plain(value)}x`))).toBe('400 invalid_grant session_cookie_invalid');
    expect(codeOf(await exchange(rawIdOf(value)))).toBe('400 invalid_grant session_cookie_invalid');
    const forged = { cookie: `connect.sid=${value}x` };
    expect(codeOf(await auth.send('GET', '/v1/whoami', { headers: forged }))).toBe('401 session_cookie_invalid');
    expect(codeOf(await exchange('s%3A%zz'))).toBe('400 invalid_grant session_cookie_invalid');
    expect(codeOf(await exchange(await save('{"cookie":{"originalMaxAge":60000}}')))).toBe('400 invalid_grant session_anonymous');
    expect(codeOf(await exchange(await save('{"cookie":{},"user":{"id":{"a":1}}}')))).toBe('500 server_error session_undecodable');
    if (side === 'target') return;
    await app.signOut(value);
    // The application is not instrumented: it removes its session, and no copy of it counts while the source is primary.
    expect(codeOf(await exchange(value))).toBe('400 invalid_grant session_unknown');
  });

  it.each(['access token', 'cookie'])('is ended by a log-out with the %s, in the application too', async (by) => {
    const value = await signIn(10);
    const other = await signIn(10);
    const token = await tokenOf(value);
    expect(await app.accepts(value)).toBe(true);
    const credential = by === 'cookie' ? { headers: { cookie: `connect.sid=${value}` } } : { bearer: token };
    for (const _ of ['first', 'repeated']) {
      // Where the machine stood still, the others have not acknowledged it in time, and it is asked for once more.
      await vi.waitFor(async () => {
        const answer = await auth.send('POST', '/v1/logout', credential);
        expect([answer.status, answer.headers.get('x-wherry-propagated')]).toEqual([204, 'true']);
      });
    }
    expect(await app.accepts(value)).toBe(false);
    expect(codeOf(await exchange(value))).toBe('400 invalid_grant session_ended');
    expect(codeOf(await whoami(value))).toBe('401 session_ended');
    expect(codeOf(await auth.send('GET', '/v1/whoami', { bearer: token }))).toBe('401 token_session_ended');
    expect([await app.accepts(other), (await whoami(other)).status]).toEqual([true, 200]);
  });

  it('is not ended by a page of another site', async () => {
    const value = await signIn(11);
    const headers = { cookie: `connect.sid=${value}`, 'sec-fetch-site': 'cross-site' };
    for (const path of ['/v1/logout', '/v1/logout-everywhere'])
      expect(codeOf(await auth.send('POST', path, { headers }))).toBe('403 forbidden');
    expect((await whoami(value)).status).toBe(200);
  });

  it('is ended with all others of its user by a log-out everywhere, without a scan of the source', async () => {
    const [one, two, stranger] = [await signIn(12), await signIn(12), await signIn(13)];
    const token = await tokenOf(one);
    const answer = await auth.send('POST', '/v1/logout-everywhere', { bearer: token });
    expect(answer.status).toBe(204);
    for (const value of [one, two]) {
      expect(codeOf(await whoami(value))).toBe('401 session_ended');
      expect(codeOf(await exchange(value))).toBe('400 invalid_grant session_ended');
    }
    expect(codeOf(await auth.send('GET', '/v1/whoami', { bearer: token }))).toBe('401 token_generation_old');
    expect((await whoami(stranger)).status).toBe(200);
  });

  it('is judged by the access token where both come', async () => {
    const [mine, theirs] = [await signIn(14), await signIn(15)];
    const headers = { cookie: `connect.sid=${theirs}` };
    expect((await auth.send('GET', '/v1/whoami', { bearer: await tokenOf(mine), headers })).body['userId']).toBe(10_014);
    expect(codeOf(await auth.send('GET', '/v1/whoami', { bearer: 'a.b.c', headers }))).toBe('401 token_malformed');
  });

  describe('handed over by its application', () => {
    const shop = { basic: ['shop', 'shop secret'] as const };
    const handOver = async (body: Record<string, unknown>, options: object = shop): Promise<Answer> =>
      auth.send('POST', '/v1/logins', { body, ...options });

    it('gives a token of that session, as often as it is asked, and no second session', async () => {
      const begun = performance.now();
      const value = await signIn(20);
      const { body: me } = await whoami(value);
      const body = { userId: 10_020, username: 'user20', authorities: me['authorities'], sourceSessionId: rawIdOf(value) };
      const count = async (): Promise<number> => (await auth.service.runtime.target.counts()).reduce((sum, { live }) => sum + live, 0);
      const first = await handOver(body);
      const before = await count();
      const second = await handOver({ ...body, userId: '10020', authorities: (me['authorities'] as string[]).toReversed() });
      expect([first.status, second.status, (await count()) - before]).toEqual([200, 200, 0]);
      for (const answer of [first, second]) {
        expect(answer.body).toMatchObject({ tokenType: 'Bearer', expiresIn: wholeLife(begun), userId: 10_020, sessionId: me['sessionId'] });
        expect(claims(answer.body['accessToken'])).toMatchObject({ sub: '10020', sid: me['sessionId'], client_id: 'shop' });
      }
    });

    it('is believed only where the session says the same', async () => {
      const value = await signIn(21);
      const { body: me } = await whoami(value);
      const good = { userId: 10_021, authorities: me['authorities'], sourceSessionId: rawIdOf(value) };
      expect(codeOf(await handOver({ ...good, userId: 10_022 }))).toBe('409 login_unconfirmed');
      expect(codeOf(await handOver({ ...good, authorities: [...(me['authorities'] as string[]), 'admin'] }))).toBe('409 login_unconfirmed');
      expect(codeOf(await handOver({ ...good, authorities: [] }))).toBe('409 login_unconfirmed');
      expect(codeOf(await handOver({ ...good, sourceSessionId: randomUUID() }))).toBe('409 login_unconfirmed');
      expect(codeOf(await handOver(good, {}))).toBe('401 client_unauthenticated');
      expect(codeOf(await handOver(good, { basic: ['shop', 'guess'] }))).toBe('401 client_unauthenticated');
      expect(codeOf(await handOver(good, { bearer: 'operator secret' }))).toBe('401 client_unauthenticated');
      expect(codeOf(await handOver({ ...good, extra: 1 }))).toBe('400 bad_request');
      await auth.send('POST', '/v1/logout', { headers: { cookie: `connect.sid=${value}` } });
      expect(codeOf(await handOver(good))).toBe('409 login_unconfirmed');
    });

    it('is refused while its user is disabled, whom the application lets in all the same', async () => {
      const value = await signIn(22);
      const token = await tokenOf(value);
      const { body: me } = await whoami(value);
      const operator = { body: { reason: 'a test' }, bearer: 'operator secret' };
      const disabled = await auth.send('POST', '/v1/admin/users/10022/disable', operator);
      expect([disabled.status, disabled.body['userId']]).toEqual([200, 10_022]);
      // The application knows nothing of it; what it begins now is as dead as what there was.
      for (const cookieValue of [value, await app.signIn(22)]) {
        expect(codeOf(await whoami(cookieValue))).toBe('401 session_ended');
        expect(codeOf(await exchange(cookieValue))).toBe('400 invalid_grant session_ended');
        const body = { userId: 10_022, authorities: me['authorities'], sourceSessionId: rawIdOf(cookieValue) };
        expect(codeOf(await handOver(body))).toBe('403 user_disabled');
      }
      expect(codeOf(await auth.send('GET', '/v1/whoami', { bearer: token }))).toMatch(/^401 token_(generation_old|session_ended)$/);
      expect((await auth.send('POST', '/v1/admin/users/10022/enable', operator)).body).toMatchObject({ changed: true });
      expect(codeOf(await whoami(value))).toBe('401 session_ended');
    });
  });
});
