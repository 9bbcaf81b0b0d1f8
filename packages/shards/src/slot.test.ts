import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SLOT_COUNT, slotOf } from './slot.ts';

/** Fixed for ever: a row's slot is part of its primary key. Checked against another implementation of the mix. */
const GOLDEN: readonly (readonly [bigint, number])[] = [
  [0n, 0],
  [1n, 11541],
  [2n, 3759],
  [255n, 1152],
  [16384n, 11239],
  [2147483648n, 14575],
  [9007199254740991n, 12596],
  [9007199254740992n, 741],
  [4611686018427387904n, 6485],
  [9223372036854775807n, 10990],
  [1234567890123456789n, 10002],
  [377487360000000000n, 1850],
];

test.each(GOLDEN)('the slot of %s is %i', (id, slot) => {
  expect(slotOf(id)).toBe(slot);
});

test('every id has a slot in range', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (id) => {
      const slot = slotOf(id);
      expect(Number.isInteger(slot) && slot >= 0 && slot < SLOT_COUNT).toBe(true);
    }),
  );
});

// Ids with a time in their high bits, and plain counters: the two that a mix must not bunch.
test.each([
  ['counter', (i: number) => BigInt(i)],
  ['snowflake of one worker', (i: number) => (BigInt(90_000_000_000 + i) << 22n) | (7n << 12n)],
])('ids of a %s spread evenly', (_, idOf) => {
  const perBucket = Array.from({ length: 64 }, () => 0);
  const count = 64_000;
  for (let i = 0; i < count; i++) {
    const bucket = Math.floor((slotOf(idOf(i)) * 64) / SLOT_COUNT);
    perBucket[bucket] = (perBucket[bucket] ?? 0) + 1;
  }
  const expected = count / 64;
  const chiSquare = perBucket.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  // 63 degrees of freedom: over 120 comes by chance once in 50,000.
  expect(chiSquare).toBeLessThan(120);
});
