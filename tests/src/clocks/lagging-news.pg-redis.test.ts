import { RevocationStream } from '@wherry/revocation/redis';
import { PATIENT_MS, openWay, type Severable } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { Operator } from '../phases/operator.ts';
import { MASTER_KEY, PhaseBench, type PhaseNode } from '../phases/phase-bench.ts';
import { Visitor, ask } from '../phases/visitor.ts';

const PATIENCE = { timeout: PATIENT_MS, interval: 10 };
/** News older than this are not relied on: the gateway's default, and a little. */
const STALE_MS = 4000;

let bench: PhaseBench;
let auth: PhaseNode;
/** Whose feed of revocations can be held back. */
let late: PhaseNode;
let way: Severable;
let streams: readonly RevocationStream[];
let native: Visitor;
let cookie: Visitor;
beforeAll(async () => {
  bench = await PhaseBench.create(inject('postgresUrl'), inject('redisUrl'));
  way = await openWay(inject('redisUrl'));
  auth = await bench.auth('auth');
  late = await bench.gateway('late gateway', auth);
  const key = `phases-${randomBytes(6).toString('hex')}`;
  streams = [auth, late].map(
    ({ runtime }) =>
      new RevocationStream({
        url: way.url,
        key,
        masterKey: MASTER_KEY,
        set: runtime.ended,
        revocations: runtime.revocations,
        now: runtime.now,
      }),
  );
  for (const stream of streams) await stream.run();
  await new Operator(bench, { aliveAny: () => Promise.resolve(false) }).begin(1, 0);
});
afterAll(async () => {
  way.mend();
  for (const stream of streams) await stream.stop();
  await bench[Symbol.asyncDispose]();
  await way[Symbol.asyncDispose]();
});
const connected = (): Promise<void> =>
  vi.waitFor(() => expect(streams.map(({ stats }) => stats.connected)).toEqual([true, true]), PATIENCE);
beforeEach(async () => {
  await connected();
  [native, cookie] = [new Visitor(bench, 'native'), new Visitor(bench, 'cookie')];
  for (const visitor of [native, cookie]) {
    await visitor.logIn(auth);
    await visitor.exchange(auth);
    expect(await statuses(visitor)).toEqual([200, 200]);
  }
});
afterEach(async () => {
  way.mend();
  late.control.release();
  await bench.settled();
});

async function statuses({ kept }: Visitor): Promise<number[]> {
  const byToken = await ask(late, { authorization: `Bearer ${kept.jwt}` });
  const bySession = await ask(late, kept.session ?? {});
  return [byToken.status, bySession.status];
}

describe('a gateway whose feed of revocations lags', () => {
  it('hears of an end by the stream, and nobody calls it propagated', async () => {
    late.control.hold('revocation');
    const before = streams[1]?.stats.applied ?? 0;
    for (const visitor of [native, cookie]) {
      const ended = await visitor.logOut(auth, false);
      expect([ended.status, ended.headers.get('x-wherry-propagated')]).toEqual([204, 'false']);
      await vi.waitFor(async () => expect(await statuses(visitor)).toEqual([401, 401]), PATIENCE);
    }
    expect(streams[1]?.stats.applied).toBeGreaterThanOrEqual(before + 2);
  });

  it('asks the rows where the stream is away too, as soon as its news are old', async () => {
    way.sever();
    late.control.hold('revocation');
    for (const visitor of [native, cookie]) expect((await visitor.logOut(auth, false)).status).toBe(204);
    late.clock.leap(STALE_MS);
    for (const visitor of [native, cookie]) expect(await statuses(visitor)).toEqual([401, 401]);
    const other = new Visitor(bench, 'native');
    await other.logIn(auth);
    expect(await statuses(other)).toEqual([200, 200]);
  });

  it('catches up with what it has missed by either way', async () => {
    way.sever();
    late.control.hold('revocation');
    expect((await native.logOut(auth, false)).status).toBe(204);
    expect((await cookie.logOut(auth, true)).status).toBe(204);
    late.control.release();
    await vi.waitFor(
      async () => expect([...(await statuses(native)), ...(await statuses(cookie))]).toEqual([401, 401, 401, 401]),
      PATIENCE,
    );
    way.mend();
    await connected();
    for (const visitor of [native, cookie]) expect(await statuses(visitor)).toEqual([401, 401]);
  });
});

describe('without the stream', () => {
  it('log-outs reach everybody by the feed', async () => {
    way.sever();
    for (const visitor of [native, cookie]) {
      expect((await visitor.logOut(auth, false)).status).toBe(204);
      await bench.endsHeard();
      expect(await statuses(visitor)).toEqual([401, 401]);
    }
  });
});
