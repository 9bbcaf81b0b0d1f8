import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binomialTail, differenceInterval, normalTail, shareAtLeast, wilsonInterval } from './statistics.ts';

const Z95 = 1.959964;

describe('wilsonInterval', () => {
  // R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('of %i in %i is %f to %f', (count, total, low, high) => {
    const found = wilsonInterval(count, total, Z95);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
  });

  it('knows nothing of nothing', () => {
    expect(wilsonInterval(0, 0, 3)).toEqual({ low: 0, high: 1 });
  });
});

describe('differenceInterval', () => {
  // R. G. Newcombe, Interval estimation for the difference between independent proportions (1998), table II, method 10.
  it.each([
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [0, 10, 0, 20, -0.1611, 0.2775],
    [10, 10, 0, 10, 0.6075, 1],
  ])('of %i/%i less %i/%i is %f to %f', (count, total, other, otherTotal, low, high) => {
    const found = differenceInterval(count, total, other, otherTotal, Z95);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
  });

  it('mirrors itself when the two are exchanged', () => {
    const share = fc.tuple(fc.nat(1000), fc.nat(1000)).map(([a, b]) => [a, a + b + 1] as const);
    fc.assert(
      fc.property(share, share, ([a, n], [b, m]) => {
        const [one, other] = [differenceInterval(a, n, b, m, 3), differenceInterval(b, m, a, n, 3)];
        expect(one.low).toBeCloseTo(-other.high, 9);
        expect(one.low).toBeLessThanOrEqual(a / n - b / m);
      }),
    );
  });
});

describe('shareAtLeast', () => {
  // Clopper and Pearson at 95 % two-sided: what every table of exact intervals has.
  it.each([
    [10, 100, 0.0490047],
    [1, 20, 0.0012651],
    [5, 20, 0.0865715],
    [20, 20, 0.8315665],
  ])('of %i in %i is %f', (count, total, bound) => {
    expect(shareAtLeast(count, total, Z95)).toBeCloseTo(bound, 5);
  });

  it('goes over to the score interval without a step that matters', () => {
    expect(shareAtLeast(99, 10_000, 3.29)).toBeLessThan(shareAtLeast(100, 10_000, 3.29));
    expect(shareAtLeast(99, 10_000, 3.29)).toBeCloseTo(wilsonInterval(99, 10_000, 3.29).low, 3);
    expect([shareAtLeast(0, 100, 3), shareAtLeast(0, 0, 3)]).toEqual([0, 0]);
  });

  it('takes one difference in 10,000 for chance where one in 100,000 is allowed, and three for too many', () => {
    expect(shareAtLeast(1, 10_000, 3.29)).toBeLessThan(1e-5);
    expect(shareAtLeast(3, 10_000, 3.29)).toBeGreaterThan(1e-5);
  });
});

describe('binomialTail and normalTail', () => {
  it('agree with known values', () => {
    expect(binomialTail(2, 4, 0.5)).toBeCloseTo(11 / 16, 12);
    expect(binomialTail(1, 1_000_000, 1e-6)).toBeCloseTo(1 - Math.exp(-1), 5);
    expect(binomialTail(5, 1_000_000, 0.5)).toBe(1);
    expect([binomialTail(0, 5, 0), binomialTail(1, 5, 0), binomialTail(5, 5, 1)]).toEqual([1, 0, 1]);
    expect(normalTail(1.959964)).toBeCloseTo(0.025, 6);
    expect(normalTail(3.290527)).toBeCloseTo(0.0005, 6);
    expect(normalTail(0)).toBeCloseTo(0.5, 6);
    expect(normalTail(-1.959964)).toBeCloseTo(0.975, 6);
  });
});
