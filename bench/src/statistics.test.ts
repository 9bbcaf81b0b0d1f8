import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, pairedRatio, percentile, validOf, type Round } from './statistics.ts';

const round = (value: number, faults = 0): Round => ({ value, faults });

describe('percentile', () => {
  it('is a value that was measured, below which no more than its share lies', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([percentile(hundred, 0.99), percentile(hundred, 1), percentile(hundred, 0.5), percentile(hundred, 0)]).toEqual([99, 100, 50, 1]);
    expect([percentile([7], 0.99), percentile([], 0.99)]).toEqual([7, Number.NaN]);
  });
});

describe('median', () => {
  it('is the middle value, whatever the order', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
    expect(median([])).toBeNaN();
  });

  it('has at most half of the values on either side, and leaves its input alone', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const before = [...values];
        const middle = median(values);
        expect(values).toEqual(before);
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });
});

describe('pairedRatio', () => {
  it('compares round by round, so that a slow minute of the machine changes nothing', () => {
    // The medians alone would say 40 / 20.
    expect(pairedRatio([round(100), round(10), round(40)], [round(200), round(20), round(20)])).toBe(0.5);
  });

  it('leaves out pairs of which one side is void, or missing', () => {
    expect(pairedRatio([round(900, 1), round(10), round(30)], [round(1), round(5), round(10, 3)])).toBe(2);
    expect(pairedRatio([round(10), round(99)], [round(5)])).toBe(2);
    expect(pairedRatio([round(1, 1)], [round(1)])).toBeNaN();
  });

  it('is the factor between the sides when each round has one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 1 }),
        fc.integer({ min: 1, max: 50 }),
        (values, factor) => {
          const theirs = values.map((value) => round(value));
          const ours = values.map((value) => round(value * factor));
          expect(pairedRatio(ours, theirs)).toBeCloseTo(factor, 6);
        },
      ),
    );
  });
});

describe('validOf', () => {
  it('keeps rounds without faults and with a figure', () => {
    expect(validOf([round(1), round(2, 1), round(0), round(Number.NaN)])).toEqual([round(1)]);
  });
});
