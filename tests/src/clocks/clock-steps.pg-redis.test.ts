import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { Operator } from '../phases/operator.ts';
import { PhaseBench, type PhaseNode } from '../phases/phase-bench.ts';
import { Visitor, ask, type Kept } from '../phases/visitor.ts';

const HOUR = 3_600_000;
const PATIENCE = { timeout: PATIENT_MS, interval: 20 };

let bench: PhaseBench;
/** Whose clock is right, and whose is set. */
let auth: PhaseNode;
let wrongAuth: PhaseNode;
let gateway: PhaseNode;
let wrongGateway: PhaseNode;
let visitors: readonly [Visitor, Visitor];
beforeAll(async () => {
  bench = await PhaseBench.create(inject('postgresUrl'), inject('redisUrl'));
  [auth, wrongAuth] = [await bench.auth('auth'), await bench.auth('wrong auth')];
  [gateway, wrongGateway] = [await bench.gateway('gateway', auth), await bench.gateway('wrong gateway', auth)];
  await new Operator(bench, { aliveAny: () => Promise.resolve(false) }).begin(1, 0);
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(async () => {
  visitors = [new Visitor(bench, 'native'), new Visitor(bench, 'cookie')];
  for (const visitor of visitors) {
    await visitor.logIn(auth);
    expect((await visitor.exchange(auth)).status).toBe(200);
  }
});
afterEach(async () => {
  for (const node of [wrongAuth, wrongGateway]) {
    node.clock.set(0);
    await vi.waitFor(() => expect(Math.abs(node.runtime.instance.clockOffsetMs)).toBeLessThan(60_000), PATIENCE);
  }
});

/** Sets a clock, and waits until its process has measured that. */
async function step(node: PhaseNode, ms: number): Promise<void> {
  node.clock.set(ms);
  await vi.waitFor(() => expect(Math.abs(node.runtime.instance.clockOffsetMs + ms)).toBeLessThan(60_000), PATIENCE);
}

const bearer = (jwt: string | undefined): Record<string, string> => ({ authorization: `Bearer ${jwt}` });
const whoami = (node: PhaseNode, headers: Record<string, string>): Promise<Response> => fetch(`${node.url}/v1/whoami`, { headers });
const ready = async ({ url }: PhaseNode): Promise<boolean> => (await fetch(`${url}/readyz`)).status === 200;
/** What is answered to each credential that was ever given out. */
async function statuses(node: PhaseNode, all: readonly Kept[]): Promise<number[]> {
  const found: number[] = [];
  for (const { jwt, session } of all) {
    if (jwt !== undefined) found.push((await ask(node, bearer(jwt))).status);
    if (session !== undefined) found.push((await ask(node, session)).status);
  }
  return found;
}

describe.each([HOUR, -HOUR])('a gateway whose clock is off by %d ms', (off) => {
  it('takes itself out, and lets the sessions of the signed-in go on meanwhile', async () => {
    await step(wrongGateway, off);
    expect(await ready(wrongGateway)).toBe(false);
    expect(await ready(gateway)).toBe(true);
    for (const { kept } of visitors) {
      expect((await ask(wrongGateway, kept.session ?? {})).status).toBe(200);
      expect((await ask(gateway, kept.session ?? {})).status).toBe(200);
      expect((await ask(gateway, bearer(kept.jwt))).status).toBe(200);
    }
  });

  it('lets nobody in whose session was ended, before the step, during it or after it', async () => {
    const [before, during, after] = [visitors[0], visitors[1], new Visitor(bench, 'native')];
    await after.logIn(auth);
    expect((await before.logOut(auth, false)).status).toBe(204);
    await bench.endsHeard();
    wrongGateway.clock.set(off);
    expect(await statuses(wrongGateway, before.history)).not.toContain(200);
    expect((await during.logOut(auth, false)).status).toBe(204);
    await bench.endsHeard();
    expect(await statuses(wrongGateway, [...before.history, ...during.history])).not.toContain(200);
    await step(wrongGateway, off);
    expect((await after.logOut(auth, true)).status).toBe(204);
    await bench.endsHeard();
    const all = [...before.history, ...during.history, ...after.history];
    expect(await statuses(wrongGateway, all)).not.toContain(200);
    // What was forgotten while the clock was wrong would be missing now.
    await step(wrongGateway, 0);
    expect(await statuses(wrongGateway, all)).not.toContain(200);
  });

  it('lets nobody in by a token that has run out, and everybody when the clock is right again', async () => {
    const fresh = visitors.map(({ kept }) => kept.jwt);
    for (const visitor of visitors) visitor.age();
    await step(wrongGateway, off);
    for (const { kept } of visitors) expect((await ask(wrongGateway, bearer(kept.jwt))).status).toBe(401);
    await step(wrongGateway, 0);
    for (const jwt of fresh) expect((await ask(wrongGateway, bearer(jwt))).status).toBe(200);
    await vi.waitFor(async () => expect(await ready(wrongGateway)).toBe(true), PATIENCE);
  });
});

describe.each([HOUR, -HOUR])('an auth service whose clock is off by %d ms', (off) => {
  it('takes itself out; what it gives out all the same is good', async () => {
    await step(wrongAuth, off);
    expect(await ready(wrongAuth)).toBe(false);
    for (const visitor of visitors) {
      const { status } = await visitor.exchange(wrongAuth);
      expect(status).toBe(200);
      expect((await ask(gateway, bearer(visitor.kept.jwt))).status).toBe(200);
    }
    const late = new Visitor(bench, 'native');
    const reply = await late.logIn(wrongAuth);
    // No ids are made by a clock that contradicts the one of before.
    if (reply.status === 503) expect(reply.code).toBe('id_clock_backwards');
    else expect(await statuses(gateway, late.history)).toEqual([200, 200]);
  });

  it('judges access tokens by the clock that gateways judge by, also before it has noticed', async () => {
    const fresh = visitors.map(({ kept }) => bearer(kept.jwt));
    for (const visitor of visitors) visitor.age();
    const aged = visitors.map(({ kept }) => bearer(kept.jwt));
    // So that nothing is measured.
    wrongAuth.control.cut();
    try {
      wrongAuth.clock.set(off);
      for (const headers of fresh) expect((await whoami(wrongAuth, headers)).status).toBe(200);
      for (const headers of aged) expect((await whoami(wrongAuth, headers)).status).toBe(401);
    } finally {
      await wrongAuth.mend();
    }
    await step(wrongAuth, off);
    for (const headers of fresh) expect((await whoami(wrongAuth, headers)).status).toBe(200);
    for (const headers of aged) expect((await whoami(wrongAuth, headers)).status).toBe(401);
  });

  it('exchanges no session that was ended', async () => {
    for (const visitor of visitors) expect((await visitor.logOut(auth, false)).status).toBe(204);
    await step(wrongAuth, off);
    for (const visitor of visitors) expect((await visitor.exchange(wrongAuth)).status).not.toBe(200);
    wrongAuth.clock.set(0);
    for (const visitor of visitors) expect((await visitor.exchange(wrongAuth)).status).not.toBe(200);
  });
});
