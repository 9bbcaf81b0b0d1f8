import { PATIENT_MS, openWay, type Severable } from '@wherry/embedded/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { Operator } from '../phases/operator.ts';
import { CUT_OFF_MS, PhaseBench, TOKEN_S, type PhaseNode } from '../phases/phase-bench.ts';
import { Visitor, ask } from '../phases/visitor.ts';

const PATIENCE = { timeout: PATIENT_MS, interval: 20 };

let bench: PhaseBench;
let way: Severable;
let source: Severable;
/** Who can be cut off from the control database, and who cannot. */
let cutAuth: PhaseNode;
let cutGateway: PhaseNode;
let auth: PhaseNode;
let gateway: PhaseNode;
let native: Visitor;
let cookie: Visitor;
beforeAll(async () => {
  source = await openWay(inject('redisUrl'));
  bench = await PhaseBench.create(inject('postgresUrl'), source.url);
  way = await openWay(bench.cluster.controlUrl);
  const addresses = { controlUrl: way.url };
  [auth, cutAuth] = [await bench.auth('auth'), await bench.auth('cut auth', { addresses })];
  [gateway, cutGateway] = [await bench.gateway('gateway', auth), await bench.gateway('cut gateway', cutAuth, addresses)];
  await new Operator(bench, { aliveAny: () => Promise.resolve(false) }).begin(1, 0);
});
afterAll(async () => {
  way.mend();
  source.mend();
  await bench[Symbol.asyncDispose]();
  await way[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
});
beforeEach(async () => {
  [native, cookie] = [new Visitor(bench, 'native'), new Visitor(bench, 'cookie')];
  for (const visitor of [native, cookie]) {
    await visitor.logIn(auth);
    await visitor.exchange(auth);
    expect(await statuses(cutGateway, visitor)).toEqual([200, 200]);
  }
});

afterEach(async () => {
  source.mend();
  await mend();
});

/** What a gateway answers to the access token, and to the session. */
async function statuses(node: PhaseNode, { kept }: Visitor): Promise<number[]> {
  const byToken = await ask(node, { authorization: `Bearer ${kept.jwt}` });
  const bySession = await ask(node, kept.session ?? {});
  return [byToken.status, bySession.status];
}

/** Cuts the way to the control database, and lets some minutes pass for those who are cut off. */
function sever(): void {
  way.sever();
  for (const node of [cutAuth, cutGateway]) node.clock.leap(CUT_OFF_MS);
}

async function mend(): Promise<void> {
  way.mend();
  await bench.settled();
}

describe('while the control database is away for some minutes', () => {
  it('users go on by the rows of their sessions, and nobody signs in or out there', async () => {
    sever();
    for (const visitor of [native, cookie]) {
      expect(await statuses(cutGateway, visitor)).toEqual([200, 200]);
      // An end that is not durable is none, and is not said to be one.
      const ended = await visitor.logOut(cutAuth, false);
      expect([ended.status, ended.code]).toEqual([503, 'control_unavailable']);
      expect((await visitor.logOut(cutAuth, true)).status).toBe(503);
      expect(await statuses(gateway, visitor)).toEqual([200, 200]);
    }
    expect((await new Visitor(bench, 'native').logIn(cutAuth)).status).toBe(503);
    for (const visitor of [native, cookie]) {
      const before = visitor.kept.jwt;
      // Nothing is signed with keys of which nobody knows whether they were removed.
      expect((await visitor.exchange(cutAuth)).status).toBe(503);
      expect((await visitor.renew(cutAuth)).status).toBe(503);
      visitor.age();
      const onTheWay = { authorization: `Bearer ${visitor.kept.jwt}`, cookie: `__Host-rt=${visitor.kept.renewal}` };
      const renewed = await ask(cutGateway, onTheWay);
      expect([renewed.status, renewed.code, renewed.headers.getSetCookie()]).toEqual([503, 'renewal_unavailable', []]);
      visitor.keep({ jwt: before });
    }
    await mend();
    for (const visitor of [native, cookie]) {
      expect(await statuses(cutGateway, visitor)).toEqual([200, 200]);
      // The credential that was presented in vain is as good as before.
      expect((await visitor.renew(cutAuth)).status).toBe(200);
      expect(await statuses(cutGateway, visitor)).toEqual([200, 200]);
      expect((await visitor.logOut(cutAuth, false)).status).toBe(204);
      await bench.endsHeard();
      for (const node of [gateway, cutGateway]) expect(await statuses(node, visitor)).toEqual([401, 401]);
    }
  });

  it.each([false, true])('who signs out elsewhere is out there as well; everywhere: %s', async (everywhere) => {
    sever();
    for (const visitor of [native, cookie]) {
      expect((await visitor.logOut(auth, everywhere)).status).toBe(204);
      expect(await statuses(cutGateway, visitor)).not.toContain(200);
    }
    await mend();
    for (const visitor of [native, cookie]) expect(await statuses(cutGateway, visitor)).toEqual([401, 401]);
  });

  it('a session that lies in the source alone is ended everywhere by the news, as soon as they come', async () => {
    const other = new Visitor(bench, 'cookie', cookie);
    await other.logIn(auth);
    expect((await ask(cutGateway, other.kept.session ?? {})).status).toBe(200);
    sever();
    const ended = await cookie.logOut(auth, true);
    // The one who is cut off is waited for, and then told of: whoever asks for the end knows that it may not be everywhere yet.
    expect([ended.status, ended.headers.get('x-wherry-propagated')]).toEqual([204, 'false']);
    await vi.waitFor(async () => expect((await ask(gateway, other.kept.session ?? {})).status).toBe(401), PATIENCE);
    await mend();
    await vi.waitFor(async () => expect((await ask(cutGateway, other.kept.session ?? {})).status).toBe(401), PATIENCE);
  });

  it('a renewal that was tried in vain costs nothing, however long the database is away', async () => {
    sever();
    for (const visitor of [native, cookie]) expect((await visitor.renew(cutAuth)).status).toBe(503);
    // As if that had been before the window of renewals, which counts from the first time that a credential is presented.
    for (const { database } of bench.cluster.shards.all)
      await database.query('UPDATE token_family SET rotated_at = rotated_at - $1, successor_at = successor_at - $1', [3 * TOKEN_S * 1000]);
    await mend();
    for (const visitor of [native, cookie]) {
      const { status, code } = await visitor.renew(cutAuth);
      expect([visitor.kind, status, code]).toEqual([visitor.kind, 200, undefined]);
    }
  });

  it('an end of which it has heard is not forgotten', async () => {
    for (const visitor of [native, cookie]) expect((await visitor.logOut(auth, true)).status).toBe(204);
    await bench.endsHeard();
    sever();
    for (const visitor of [native, cookie]) expect(await statuses(cutGateway, visitor)).toEqual([401, 401]);
    await mend();
  });

  it('a session that nobody can read is not over: 503', async () => {
    sever();
    source.sever();
    try {
      expect(await statuses(cutGateway, native)).toEqual([200, 200]);
      // The slots lie with the source, which is away.
      expect(await statuses(cutGateway, cookie)).toEqual([503, 503]);
      // By the news nothing has ended, so the token of a session goes on where they are heard.
      expect(await statuses(gateway, cookie)).toEqual([200, 503]);
      const [exchanged, ended] = [await cookie.exchange(auth), await cookie.logOut(auth, false)];
      expect([exchanged.code, ended.code]).toEqual(['source_unavailable', 'source_unavailable']);
    } finally {
      source.mend();
      await mend();
    }
    await vi.waitFor(async () => {
      const { status } = await ask(gateway, native.kept.session ?? {});
      expect([status, ...(await statuses(cutGateway, native))]).toEqual([200, 200, 200]);
    }, PATIENCE);
    // Asked for and not acknowledged: a repeat ends it.
    await vi.waitFor(async () => expect((await cookie.logOut(auth, false)).status).toBe(204), PATIENCE);
    for (const node of [gateway, cutGateway]) expect(await statuses(node, cookie)).toEqual([401, 401]);
  });
});
