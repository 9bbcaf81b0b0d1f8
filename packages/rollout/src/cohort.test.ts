import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bucketOf, inCohort } from './cohort.ts';

const percent = fc.nat(10_000).map((hundredths) => hundredths / 100);

describe('cohort', () => {
  it('is fixed for ever: golden buckets', () => {
    expect(['1', '2', 'alice', 'ü', ''].map((userId) => bucketOf('salt', userId))).toEqual([8740, 6310, 3675, 745, 5796]);
  });

  it('is sticky and monotonic: who is in a cohort is in every larger one', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), percent, percent, (salt, userId, one, other) => {
        const [small, large] = one <= other ? [one, other] : [other, one];
        if (inCohort(salt, userId, small)) expect(inCohort(salt, userId, large)).toBe(true);
        expect(inCohort(salt, userId, one)).toBe(inCohort(salt, userId, one));
        expect(inCohort(salt, userId, 0)).toBe(false);
        expect(inCohort(salt, userId, 100)).toBe(true);
      }),
    );
  });

  it('is entered one bucket at a time: the user of bucket b joins at (b + 1) / 100 percent', () => {
    fc.assert(
      fc.property(fc.string(), (userId) => {
        const bucket = bucketOf('salt', userId);
        expect(inCohort('salt', userId, bucket / 100)).toBe(false);
        expect(inCohort('salt', userId, (bucket + 1) / 100)).toBe(true);
      }),
    );
  });

  it.each([0.5, 1, 10, 37.5, 90])('of %f percent holds that share of consecutive user ids', (share) => {
    const users = 40_000;
    const salt = randomBytes(16).toString('hex');
    let inside = 0;
    for (let userId = 0; userId < users; userId++) if (inCohort(salt, String(userId), share)) inside++;
    const expected = (users * share) / 100;
    // Six standard deviations of the binomial distribution: one false alarm in 500 million runs.
    expect(Math.abs(inside - expected)).toBeLessThan(6 * Math.sqrt(expected * (1 - share / 100)));
  });

  it('follows from the salt: two salts choose independently', () => {
    const users = Array.from({ length: 20_000 }, (_, n) => `user-${n}`);
    const both = users.filter((userId) => inCohort('a', userId, 10) && inCohort('b', userId, 10)).length;
    expect(both).toBeGreaterThan(100);
    expect(both).toBeLessThan(320);
  });
});
