import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeavyHitters } from './heavy-hitters.ts';

function seen(stream: readonly number[]): Map<number, number> {
  const exact = new Map<number, number>();
  for (const key of stream) exact.set(key, (exact.get(key) ?? 0) + 1);
  return exact;
}

test('no count is too low, none too high by more than it says, and none that matters is missing', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(5), fc.nat(60)), { maxLength: 400 }), fc.integer({ min: 1, max: 20 }), (stream, size) => {
      const hitters = new HeavyHitters<number>(size);
      for (const key of stream) hitters.add(key);
      const exact = seen(stream);
      const top = hitters.top(Infinity);
      expect(top.length).toBe(Math.min(size, exact.size));
      expect(new Set(top.map(({ key }) => key)).size).toBe(top.length);
      expect(top.reduce((sum, { count }) => sum + count, 0)).toBe(stream.length);
      for (const [at, { key, count, error }] of top.entries()) {
        const times = exact.get(key) ?? 0;
        expect(count).toBeGreaterThanOrEqual(times);
        expect(count - error).toBeLessThanOrEqual(times);
        expect(count).toBeLessThanOrEqual(top[at - 1]?.count ?? Infinity);
      }
      const kept = new Set(top.map(({ key }) => key));
      for (const [key, times] of exact) if (times > stream.length / size) expect(kept).toContain(key);
    }),
    { numRuns: 500 },
  );
});

test('gives the first ones, and nothing after it was cleared', () => {
  const hitters = new HeavyHitters<string>(10);
  for (const key of ['a', 'b', 'b', 'c', 'c', 'c']) hitters.add(key);
  expect(hitters.top(2)).toEqual([
    { key: 'c', count: 3, error: 0 },
    { key: 'b', count: 2, error: 0 },
  ]);
  hitters.clear();
  expect(hitters.top(5)).toEqual([]);
  hitters.add('d');
  expect(hitters.top(5)).toEqual([{ key: 'd', count: 1, error: 0 }]);
});
