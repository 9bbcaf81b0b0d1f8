import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { armOf, bucketOf, inCohort, inHoldOut, listedAs } from './cohort.ts';

const percent = fc.nat(10_000).map((hundredths) => hundredths / 100);

describe('cohort', () => {
  it('is fixed for ever: golden buckets', () => {
    expect(['1', '2', 'alice', 'ü', ''].map((userId) => bucketOf('salt', userId))).toEqual([8740, 6310, 3675, 745, 5796]);
  });

  it('is sticky and monotonic: who is in a cohort is in every larger one', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), percent, percent, (salt, userId, one, other) => {
        const [small, large] = one <= other ? [one, other] : [other, one];
        if (inCohort(bucketOf(salt, userId), small)) expect(inCohort(bucketOf(salt, userId), large)).toBe(true);
        expect(inCohort(bucketOf(salt, userId), one)).toBe(inCohort(bucketOf(salt, userId), one));
        expect(inCohort(bucketOf(salt, userId), 0)).toBe(false);
        expect(inCohort(bucketOf(salt, userId), 100)).toBe(true);
      }),
    );
  });

  it('is entered one bucket at a time: the user of bucket b joins at (b + 1) / 100 percent', () => {
    fc.assert(
      fc.property(fc.string(), (userId) => {
        const bucket = bucketOf('salt', userId);
        expect(inCohort(bucketOf('salt', userId), bucket / 100)).toBe(false);
        expect(inCohort(bucketOf('salt', userId), (bucket + 1) / 100)).toBe(true);
      }),
    );
  });

  it.each([0.5, 1, 10, 37.5, 90])('of %f percent holds that share of consecutive user ids', (share) => {
    const users = 40_000;
    const salt = randomBytes(16).toString('hex');
    let inside = 0;
    for (let userId = 0; userId < users; userId++) if (inCohort(bucketOf(salt, String(userId)), share)) inside++;
    const expected = (users * share) / 100;
    // Six standard deviations of the binomial distribution: one false alarm in 500 million runs.
    expect(Math.abs(inside - expected)).toBeLessThan(6 * Math.sqrt(expected * (1 - share / 100)));
  });

  it('follows from the salt: two salts choose independently', () => {
    const users = Array.from({ length: 20_000 }, (_, n) => `user-${n}`);
    const both = users.filter((userId) => inCohort(bucketOf('a', userId), 10) && inCohort(bucketOf('b', userId), 10)).length;
    expect(both).toBeGreaterThan(100);
    expect(both).toBeLessThan(320);
  });

  it('keeps a hold-out whatever the share is, and nobody in two arms', () => {
    fc.assert(
      fc.property(fc.nat(9999), percent, fc.nat(5000), (bucket, share, hundredths) => {
        const holdOut = hundredths / 100;
        const arm = armOf({ salt: '', percent: share, holdOut }, undefined, bucket);
        expect(arm === 'control').toBe(inHoldOut(bucket, holdOut));
        if (arm !== 'control') expect(arm === 'cohort').toBe(inCohort(bucket, share));
        // A hold-out that grows takes in whom it had.
        if (inHoldOut(bucket, holdOut)) expect(inHoldOut(bucket, Math.min(50, holdOut + 0.01))).toBe(true);
      }),
    );
    expect(Array.from({ length: 10_000 }, (_, bucket) => bucket).filter((bucket) => inHoldOut(bucket, 1))).toHaveLength(100);
    expect(inHoldOut(9999, 0)).toBe(false);
  });

  it('hears the lists first, the user before the client', () => {
    const lists = { users: new Map([['u', 'exclude'] as const]), clients: new Map([['c', 'include'] as const]) };
    expect([listedAs(lists, 'u', 'c'), listedAs(lists, 'v', 'c'), listedAs(lists, 'v', 'd'), listedAs(lists, 'v', undefined)]).toEqual([
      'exclude',
      'include',
      undefined,
      undefined,
    ]);
    const rule = { salt: '', percent: 50, holdOut: 1 };
    expect([armOf(rule, 'include', 9999), armOf(rule, 'exclude', 0), armOf(rule, 'exclude', 9999)]).toEqual([
      'cohort',
      'outside',
      'outside',
    ]);
  });
});
