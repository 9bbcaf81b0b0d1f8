import type { CarriedRead } from '@wherry/sessions';
import { beforeEach, describe, expect, test } from 'vitest';
import { Ledger, type Call, type Identity } from './ledger.ts';

const LIFE_MS = 600_000;
const DOUBT_MS = 200;
const HOUR_MS = 3_600_000;
const identity: Identity = { userId: 'u1', username: 'user 1', authorities: ['member', 'role1'] };

/** Begins at one o'clock and goes on when it is told. */
class TestClock {
  ms = HOUR_MS;
  now(): number {
    return this.ms;
  }
  doubtMs(): number {
    return DOUBT_MS;
  }
}

let clock: TestClock;
let ledger: Ledger;

beforeEach(() => {
  clock = new TestClock();
  ledger = new Ledger(clock);
  ledger.add('a', identity);
});

/** Acknowledges a call, `tookMs` after its start. */
function done(call: Call, tookMs = 0): Call {
  clock.ms += tookMs;
  call.done = ledger.now();
  return call;
}

/** What a reader is answered: the session of the ledger, unless it differs in `but`. */
function live(but: Partial<Omit<Extract<CarriedRead, { state: 'live' }>, 'state'>> & { readonly value?: number } = {}): CarriedRead {
  const { value = 1, ...rest } = but;
  return {
    state: 'live',
    key: { slot: 0, id: 1n, digest: Buffer.alloc(32) },
    tokensNotBefore: 0,
    ...identity,
    userGeneration: 0,
    expireTime: clock.ms + LIFE_MS,
    idleMs: LIFE_MS,
    attributes: JSON.stringify({ value }),
    side: 'source',
    epoch: 1,
    ...rest,
  };
}

/** Judges an answer to a read that begins and ends now. */
function judge(read: CarriedRead, settled = false): string | undefined {
  return ledger.faultOf('a', read, ledger.now(), ledger.now(), settled);
}

describe('an answer is judged', () => {
  test('a session as it was saved is no fault, on either side', () => {
    done(ledger.save('a', 1, LIFE_MS));
    expect(judge(live(), true)).toBeUndefined();
    expect(judge(live({ side: 'target', epoch: 2 }), true)).toBeUndefined();
  });

  test('I1: a session that was acknowledged and is absent', () => {
    const call = ledger.save('a', 1, LIFE_MS);
    expect(judge({ state: 'absent' })).toBeUndefined();
    done(call);
    expect(judge({ state: 'absent' })).toBe('I1: a live session is lost');
  });

  test('an end that nobody asked for', () => {
    done(ledger.save('a', 1, LIFE_MS));
    expect(judge({ state: 'ended' })).toContain('nobody had asked');
    const call = ledger.end('a');
    expect(judge({ state: 'ended' })).toBeUndefined();
    expect(judge({ state: 'absent' })).toBeUndefined();
    done(call);
    expect(judge({ state: 'ended' })).toBeUndefined();
  });

  test('I2: a session that is live after its end was acknowledged, not while it is asked for', () => {
    done(ledger.save('a', 1, LIFE_MS));
    const call = ledger.end('a');
    expect(judge(live())).toBeUndefined();
    const started = ledger.now();
    done(call);
    expect(ledger.faultOf('a', live(), started, ledger.now(), false)).toBeUndefined();
    expect(judge(live())).toBe('I2: an ended session is live');
  });

  test('I1: a save that was acknowledged and is not read', () => {
    done(ledger.save('a', 1, LIFE_MS));
    const second = ledger.save('a', 2, LIFE_MS);
    expect([judge(live()), judge(live({ value: 2 }))]).toEqual([undefined, undefined]);
    done(second);
    expect(judge(live())).toMatch(/^I1: an acknowledged save is lost/);
    expect(judge(live({ value: 2 }))).toBeUndefined();
    expect(judge(live({ value: 3 }))).toMatch(/^I1/);
  });

  test('a save that was refused, or whose outcome is not known', () => {
    done(ledger.save('a', 1, LIFE_MS));
    ledger.save('a', 2, LIFE_MS);
    ledger.save('a', 3, LIFE_MS).void = true;
    expect([judge(live()), judge(live({ value: 2 }))]).toEqual([undefined, undefined]);
    expect(judge(live({ value: 3 }))).toMatch(/^I1/);
  });

  test('I4 and identity: what belongs to the user', () => {
    done(ledger.save('a', 1, LIFE_MS));
    expect(judge(live({ authorities: ['member'] }))).toBe('I4: the authorities changed');
    expect(judge(live({ authorities: ['member', 'role1', 'admin'] }))).toBe('I4: the authorities changed');
    expect(judge(live({ userId: 'u2' }))).toBe('it is somebody else');
    expect(judge(live({ username: null }))).toBe('it is somebody else');
  });

  test('what cannot be decoded', () => {
    done(ledger.save('a', 1, LIFE_MS));
    expect(judge({ state: 'undecodable', value: '', key: { slot: 0, id: 1n, digest: Buffer.alloc(32) } })).toContain('decoded');
  });
});

describe('the time is judged', () => {
  test('I3: a session without an expiry, and one that is live after its own', () => {
    done(ledger.save('a', 1, LIFE_MS));
    expect(judge(live({ expireTime: null }))).toBe('I3: it never expires');
    expect(judge(live({ expireTime: clock.ms - 2000 }))).toBe('I3: it is live after its expiry');
  });

  test('when all is settled, the expiry is that of the last touch', () => {
    done(ledger.save('a', 1, LIFE_MS));
    clock.ms += 1000;
    done(ledger.touch('a', 2 * LIFE_MS));
    const early = live({ expireTime: clock.ms + LIFE_MS });
    expect(judge(early)).toBeUndefined();
    expect(judge(early, true)).toMatch(/^I1: an acknowledged touch is lost/);
    expect(judge(live({ expireTime: clock.ms + 3 * LIFE_MS }), true)).toMatch(/^I3: it lives too long/);
    expect(judge(live({ expireTime: clock.ms + 2 * LIFE_MS }), true)).toBeUndefined();
    expect(ledger.lifeIsCertain('a')).toBe(true);
  });

  test('a touch that the session was refused gives nothing; one whose outcome is not known may', () => {
    done(ledger.save('a', 1, LIFE_MS));
    clock.ms += 1000;
    const touch = ledger.touch('a', 2 * LIFE_MS);
    const [short, long] = [live({ expireTime: clock.ms + LIFE_MS - 1000 }), live({ expireTime: clock.ms + 2 * LIFE_MS })];
    expect([judge(short, true), judge(long, true)]).toEqual([undefined, undefined]);
    expect(ledger.lifeIsCertain('a')).toBe(false);
    touch.void = true;
    expect(judge(short, true)).toBeUndefined();
    expect(judge(long, true)).toMatch(/^I3/);
  });

  test('touches in the same moment count in either order', () => {
    done(ledger.save('a', 1, LIFE_MS));
    clock.ms += 1000;
    done(ledger.touch('a', 2 * LIFE_MS));
    clock.ms += 10;
    done(ledger.touch('a', 3 * LIFE_MS));
    for (const life of [2, 3]) expect(judge(live({ expireTime: clock.ms + life * LIFE_MS }), true)).toBeUndefined();
    expect(judge(live({ expireTime: clock.ms + LIFE_MS }), true)).toMatch(/^I1/);
  });

  test('I1 before its time is over, I3 after it, and nothing in between', () => {
    done(ledger.save('a', 1, 600));
    const expireTime = clock.ms + 600;
    const absent: CarriedRead = { state: 'absent' };
    const there = live({ expireTime });
    clock.ms = expireTime - DOUBT_MS - 1;
    expect([judge(absent), judge(there)]).toEqual(['I1: a live session is lost', undefined]);
    expect(ledger.timeIsCertain('a')).toBe(true);
    for (const ms of [-DOUBT_MS, 0, DOUBT_MS]) {
      clock.ms = expireTime + ms;
      expect([judge(absent), judge(there), judge({ state: 'ended' })]).toEqual([undefined, undefined, undefined]);
      expect(ledger.timeIsCertain('a')).toBe(false);
    }
    expect(ledger.overAt(600)).toBe(clock.ms);
    clock.ms += 1;
    expect([judge(absent), judge(there)]).toEqual([undefined, 'I3: it is live, and its time is over']);
    expect(ledger.timeIsCertain('a')).toBe(true);
  });

  test('I1: a touch in its life saves a session from running out', () => {
    done(ledger.save('a', 1, 600));
    clock.ms += 100;
    done(ledger.touch('a', LIFE_MS));
    clock.ms += 1000;
    expect(judge({ state: 'absent' })).toBe('I1: a live session is lost');
    expect(judge({ state: 'ended' })).toContain('nobody had asked');
  });

  test('a touch that may have come too late saves nothing for certain', () => {
    done(ledger.save('a', 1, 600));
    const [early, late] = [clock.ms + 600, clock.ms + LIFE_MS];
    clock.ms += 600 - DOUBT_MS;
    done(ledger.touch('a', LIFE_MS));
    for (const expireTime of [early, late]) expect(judge(live({ expireTime }), true)).toBeUndefined();
    expect(ledger.lifeIsCertain('a')).toBe(false);
    clock.ms += 1000;
    expect([judge({ state: 'absent' }), judge(live())]).toEqual([undefined, undefined]);
  });

  test('nor does one that takes so long that the session may have run out meanwhile', () => {
    done(ledger.save('a', 1, 600));
    done(ledger.touch('a', LIFE_MS), 600);
    clock.ms += 1000;
    expect(judge({ state: 'absent' })).toBeUndefined();
  });

  test('a session that was saved again after its time is there, and may be gone again', () => {
    done(ledger.save('a', 1, 600));
    clock.ms += 5000;
    done(ledger.save('a', 2, LIFE_MS));
    expect(judge(live({ value: 2 }), true)).toBeUndefined();
    expect(judge(live({ value: 1 }))).toMatch(/^I1/);
    expect(judge({ state: 'ended' })).toBeUndefined();
  });
});

test('a session that is not in the ledger is a fault of the test', () => {
  expect(() => ledger.touch('b', LIFE_MS)).toThrow('does not know');
});
