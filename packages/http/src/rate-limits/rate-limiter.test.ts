import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { rateFields } from './rate-fields.ts';
import { RateLimiter } from './rate-limiter.ts';
import { readRateWindows } from './rate-windows.ts';

/** A clock that is moved by hand. */
function handClock(start = 0): { now(): number; monotonic(): number; at: number } {
  const clock = { at: start, now: () => clock.at, monotonic: () => clock.at };
  return clock;
}

const ONE_SECOND = [{ quota: 10, seconds: 1 }];

describe('a rate limiter', () => {
  it('lets a quota through at once, then one after another as it comes back, and says when', () => {
    // A start at which sums of fractions are not exact.
    const clock = handClock(123_456_789.123);
    const limiter = new RateLimiter({ windows: [{ quota: 7, seconds: 1 }], clock });
    for (let n = 0; n < 7; n++) expect(limiter.take('a')).toBe(0);
    const waitMs = limiter.take('a');
    expect(waitMs).toBeCloseTo(1000 / 7, 3);
    clock.at += waitMs;
    expect(limiter.take('a')).toBe(0);
    expect(limiter.take('a')).toBeGreaterThan(0);
    expect(limiter.take('b')).toBe(0);
  });

  it('bounds by every window, and a refusal takes from none', () => {
    const clock = handClock();
    const limiter = new RateLimiter({ windows: readRateWindows('2/1s,3/1m'), clock });
    expect([limiter.take('a'), limiter.take('a')]).toEqual([0, 0]);
    for (let n = 0; n < 50; n++) expect(limiter.take('a')).toBeGreaterThan(0);
    clock.at += 1000;
    expect(limiter.take('a')).toBe(0);
    clock.at += 1000;
    // The second is full again, the minute is not.
    expect(limiter.take('a')).toBeCloseTo(18_000, 0);
  });

  it('takes a cost whole or not at all; charging goes down to empty and no further', () => {
    const clock = handClock();
    const limiter = new RateLimiter({ windows: ONE_SECOND, clock });
    expect(limiter.take('a', 8)).toBe(0);
    expect(limiter.take('a', 3)).toBeGreaterThan(0);
    expect(limiter.wait('a', 2)).toBe(0);
    limiter.charge('a', 1_000_000);
    expect(limiter.wait('a')).toBeCloseTo(100, 3);
    clock.at += 1000;
    // More than the quota is all of the quota, or it could never be taken.
    expect(limiter.take('a', 500)).toBe(0);
    expect(limiter.take('a')).toBeGreaterThan(0);
  });

  it('takes back what was not spent, and no more than was taken', () => {
    const limiter = new RateLimiter({ windows: ONE_SECOND, clock: handClock() });
    for (let n = 0; n < 100; n++) {
      expect(limiter.take('a', 6)).toBe(0);
      limiter.refund('a', 6);
    }
    limiter.refund('nobody', 5);
    limiter.refund('a', 5);
    expect(limiter.take('a', 10)).toBe(0);
    expect(limiter.take('a')).toBeGreaterThan(0);
  });

  it('never lets through more than quota and refill, whatever is taken when', () => {
    const step = fc.record({ pauseMs: fc.nat(400), cost: fc.integer({ min: 1, max: 4 }) });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 4, max: 20 }),
        fc.integer({ min: 1, max: 3 }),
        (steps, quota, seconds) => {
          const clock = handClock(1e9);
          const limiter = new RateLimiter({ windows: [{ quota, seconds }], clock });
          const taken: { at: number; cost: number }[] = [];
          for (const { pauseMs, cost } of steps) {
            clock.at += pauseMs;
            const before = limiter.state('k')[0]?.remaining ?? 0;
            const passed = limiter.take('k', cost) === 0;
            expect(passed).toBe(before >= cost);
            if (passed) taken.push({ at: clock.at, cost });
          }
          for (const [i, first] of taken.entries()) {
            let sum = 0;
            for (const { at, cost } of taken.slice(i)) {
              sum += cost;
              expect(sum).toBeLessThanOrEqual(quota + ((at - first.at) * quota) / (seconds * 1000) + 0.02);
            }
          }
        },
      ),
    );
  });
});

describe('the memory of a rate limiter', () => {
  it('is bounded, and made-up keys neither refill a bucket that was used up nor refuse a new one', () => {
    const clock = handClock();
    const limiter = new RateLimiter({ windows: [{ quota: 100, seconds: 3600 }], capacity: 200, clock });
    for (let n = 0; n < 100; n++) expect(limiter.take('attacker')).toBe(0);
    for (let n = 0; n < 20_000; n++) {
      // More than once each, so that they are not the fullest by being new.
      expect(limiter.take(`made-up ${n}`)).toBe(0);
      limiter.take(`made-up ${n}`);
    }
    expect(limiter.size).toBe(200);
    expect(limiter.take('attacker')).toBeGreaterThan(0);
    for (let n = 0; n < 100; n++) expect(limiter.take('somebody new')).toBe(0);
    expect(limiter.take('somebody new')).toBeGreaterThan(0);
  });

  it('gives room back when buckets are full again', () => {
    const clock = handClock();
    const limiter = new RateLimiter({ windows: ONE_SECOND, capacity: 1000, clock });
    for (let n = 0; n < 900; n++) limiter.take(`old ${n}`);
    expect(limiter.size).toBe(900);
    clock.at += 10_000;
    for (let n = 0; n < 900; n++) limiter.take(`new ${n}`);
    expect(limiter.size).toBeGreaterThan(900);
    for (let n = 0; n < 900; n++) {
      clock.at += 1000;
      limiter.take(`newest ${n}`);
    }
    expect(limiter.size).toBeLessThan(510);
  });

  it('keeps every key apart, whatever goes and comes', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ key: fc.nat(30), pauseMs: fc.nat(900) }), { maxLength: 300 }), (steps) => {
        const clock = handClock();
        const roomy = new RateLimiter({ windows: ONE_SECOND, capacity: 1000, clock });
        const own = new Map<number, RateLimiter>();
        for (const { key, pauseMs } of steps) {
          clock.at += pauseMs;
          let alone = own.get(key);
          if (alone === undefined) own.set(key, (alone = new RateLimiter({ windows: ONE_SECOND, clock })));
          expect(roomy.take(String(key), 3)).toBe(alone.take('k', 3));
        }
      }),
    );
  });
});

test.each([
  ['20/1s', [{ quota: 20, seconds: 1 }]],
  [
    '20/1s,600/1m,10000/12h,5/1d',
    [
      { quota: 20, seconds: 1 },
      { quota: 600, seconds: 60 },
      { quota: 10_000, seconds: 43_200 },
      { quota: 5, seconds: 86_400 },
    ],
  ],
])('%s is read', (text, windows) => {
  expect(readRateWindows(text)).toEqual(windows);
});

test.each(['', '0/1s', '1/0s', '1/s', '-1/1s', '1.5/1s', '1/1s, 2/1m', '1/1w', '1/1s,', '1/1s,1/1s,1/1s,1/1s,1/1s', '1e9/1s'])(
  '%j is no rate',
  (text) => {
    expect(() => readRateWindows(text)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  },
);

test.each([[[]], [[{ quota: 0, seconds: 1 }]], [[{ quota: 1, seconds: Number.NaN }]], [[{ quota: Infinity, seconds: 1 }]]])(
  'windows %j are none',
  (windows) => {
    expect(() => new RateLimiter({ windows })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  },
);

test('answer fields tell policy and what is left, as structured fields', () => {
  const clock = handClock();
  const limiter = new RateLimiter({ windows: readRateWindows('20/1s,600/1m'), clock });
  for (let n = 0; n < 20; n++) limiter.take('a');
  expect(rateFields('user', limiter.state('a'))).toEqual({
    'RateLimit-Policy': '"user-1";q=20;w=1, "user-60";q=600;w=60',
    RateLimit: '"user-1";r=0;t=1, "user-60";r=580;t=2',
  });
  const single = new RateLimiter({ windows: ONE_SECOND, clock });
  expect(rateFields('address', single.state('a'))).toEqual({ 'RateLimit-Policy': '"address";q=10;w=1', RateLimit: '"address";r=10;t=0' });
});
