import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LATENCY_CLASSES, classStartMs, latencyClass, quantileEstimate } from './latency.ts';

function histogram(durations: readonly number[]): number[] {
  const counts = Array.from({ length: LATENCY_CLASSES }, () => 0);
  for (const ms of durations) counts[latencyClass(ms)] = (counts[latencyClass(ms)] ?? 0) + 1;
  return counts;
}

describe('latencyClass', () => {
  it('puts each duration between the edges of its class', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 90_000, noNaN: true }), (ms) => {
        const index = latencyClass(ms);
        expect(ms).toBeGreaterThanOrEqual(classStartMs(index) * (1 - 1e-12));
        expect(ms).toBeLessThan(classStartMs(index + 1) * (1 + 1e-12));
      }),
    );
  });

  it('has a place for whatever a clock may say', () => {
    expect([Number.NaN, -1, 0, 0.05].map(latencyClass)).toEqual([0, 0, 0, 0]);
    expect([Infinity, 1e12].map(latencyClass)).toEqual([LATENCY_CLASSES - 1, LATENCY_CLASSES - 1]);
  });
});

describe('quantileEstimate', () => {
  it('finds the 99th percentile of known durations', () => {
    const found = quantileEstimate(histogram(Array.from({ length: 10_000 }, (_, n) => (n + 1) / 100)), 0.99, 1.96);
    // 99 ms, its ranks 9881 to 9920 of 10,000, and the classes that these lie in.
    expect(found?.value).toBeGreaterThan(92);
    expect(found?.value).toBeLessThan(106);
    expect(found?.low).toBeLessThanOrEqual(98.8);
    expect(found?.high).toBeGreaterThanOrEqual(99.2);
    expect((found?.high ?? 0) / (found?.low ?? 1)).toBeLessThan(1.2);
  });

  it('holds the true value between its bounds, however few there are', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.01, max: 1000, noNaN: true }), { minLength: 1, maxLength: 300 }), (durations) => {
        const found = quantileEstimate(histogram(durations), 0.99, 3.29);
        const sorted = durations.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(durations.length * 0.99) - 1)] ?? 0;
        expect(found?.low).toBeLessThanOrEqual(exact * (1 + 1e-9));
        expect(found?.high).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
      }),
    );
    expect(quantileEstimate(histogram([]), 0.99, 3.29)).toBeUndefined();
  });
});
