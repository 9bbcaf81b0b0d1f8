import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_LIMITS, Throttle } from './throttle.ts';

const LIMITS = { sourceMs: 50, targetMs: 100, replicaLagMs: 1000 };
const WELL = { sourceMs: 5, targetMs: 5, replicaLagMs: 0 };

test.each([
  ['the source', { ...WELL, sourceMs: 51 }],
  ['a shard', { ...WELL, targetMs: 101 }],
  ['a replica', { ...WELL, replicaLagMs: 1001 }],
])('%s that is slower than it may be slows the work down, and it recovers when that is over', (_, slow) => {
  const throttle = new Throttle(LIMITS);
  expect(throttle.observe(WELL)).toBe(1);
  expect(throttle.observe(slow)).toBeLessThan(0.75);
  for (let n = 0; n < 50; n++) throttle.observe(slow);
  // It never stops: else nothing would tell that the store is well again.
  expect(throttle.share).toBe(0.05);
  for (let n = 0; n < 20; n++) throttle.observe(WELL);
  expect(throttle.share).toBe(1);
});

test('what has no limit, or no figure, slows nothing down', () => {
  const unlimited = new Throttle(NO_LIMITS);
  expect(unlimited.watches).toBe(false);
  expect(unlimited.observe({ sourceMs: 9999, targetMs: 9999, replicaLagMs: 9999 })).toBe(1);
  const limited = new Throttle({ ...NO_LIMITS, sourceMs: 10 });
  expect(limited.watches).toBe(true);
  expect(limited.observe({ sourceMs: null, targetMs: 9999, replicaLagMs: null })).toBe(1);
});

test('the share stays within its bounds, falls only for a slow store and rises only without one', () => {
  const latency = fc.option(fc.nat(2000));
  fc.assert(
    fc.property(fc.array(fc.record({ sourceMs: latency, targetMs: latency, replicaLagMs: latency }), { maxLength: 100 }), (looks) => {
      const throttle = new Throttle(LIMITS);
      for (const look of looks) {
        const before = throttle.share;
        const slow = (look.sourceMs ?? 0) > 50 || (look.targetMs ?? 0) > 100 || (look.replicaLagMs ?? 0) > 1000;
        const share = throttle.observe(look);
        expect(share).toBeGreaterThanOrEqual(0.05);
        expect(share).toBeLessThanOrEqual(1);
        expect(slow ? share <= before : share >= before).toBe(true);
      }
    }),
  );
});
