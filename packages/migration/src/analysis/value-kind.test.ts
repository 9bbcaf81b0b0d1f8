import { expect, test } from 'vitest';
import { valueKind } from './value-kind.ts';

test.each([
  [2 ** 53 - 1, 'integer'],
  [2 ** 53, 'decimal'],
  [0.5, 'decimal'],
  [2n ** 53n, 'integer'],
  [2n ** 63n - 1n, 'integer'],
  [-(2n ** 63n), 'integer'],
  // Past what a column of whole numbers holds.
  [2n ** 63n, 'decimal'],
  [-(2n ** 63n) - 1n, 'decimal'],
  ['12', 'text'],
  [{}, 'object'],
  [[], 'array'],
  [null, 'null'],
  [undefined, 'null'],
])('%s is of kind %s', (value, kind) => {
  expect(valueKind(value)).toBe(kind);
});
