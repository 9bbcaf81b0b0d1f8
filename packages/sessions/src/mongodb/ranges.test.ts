import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterAll, idRanges } from './ranges.ts';

const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

test('every id lies in exactly one part, and ids of other prefixes in none', () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 }).filter((one) => one.isWellFormed());
  const prefixes = fc.oneof(text, fc.constantFrom('', '\u{10ffff}', 'a\u{d7ff}', 'app/'));
  fc.assert(
    fc.property(prefixes, text, text, (prefix, id, other) => {
      const parts = idRanges(prefix);
      const partsOf = (key: string): number =>
        parts.filter(({ from, to }) => inBytes(from, key) <= 0 && (to === undefined || inBytes(key, to) < 0)).length;
      expect(partsOf(prefix + id)).toBe(1);
      if (!other.startsWith(prefix)) expect(partsOf(other)).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test('nothing lies after the greatest texts', () => {
  expect([afterAll(''), afterAll('\u{10ffff}'), afterAll('a\u{10ffff}'), afterAll('\u{d7ff}')]).toEqual([
    undefined,
    undefined,
    'b',
    '\u{e000}',
  ]);
});

test('ids as express-session makes them are spread over all parts', () => {
  const starts = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');
  const counts = idRanges('').map(({ from, to }) => starts.filter((start) => start >= from && (to === undefined || start < to)).length);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(4);
});
