import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashWords, idWords, userWords } from './key-words.ts';
import { PackedTable } from './packed-table.ts';

const id = fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffff_ffffn }).map(String);
const nearId = fc.integer({ min: 0, max: 40 }).map(String);
const wordsOf = (words: typeof idWords, text: string): string | undefined => {
  const into = new Uint32Array(2);
  return words(text, into) ? into.join() : undefined;
};

describe('words of a key', () => {
  test('two ids never share their words', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.oneof(id, nearId), { maxLength: 200 }), (ids) => {
        expect(new Set(ids.map((text) => wordsOf(idWords, text))).size).toBe(ids.length);
      }),
    );
    const borders = [
      0n,
      1n,
      999_999_999n,
      10n ** 9n,
      10n ** 9n * 2n ** 32n - 1n,
      10n ** 9n * 2n ** 32n,
      2n ** 63n - 1n,
      2n ** 62n,
      10n ** 18n,
    ];
    expect(new Set(borders.map((border) => wordsOf(idWords, border.toString()))).size).toBe(borders.length);
  });

  test.each(['', '01', '00', '-1', '1.5', '1e3', ' 1', '1 ', '٣', '12345678901234567890'])('"%s" is no id', (text) => {
    expect(wordsOf(idWords, text)).toBeUndefined();
  });

  test('a hundred thousand like texts have words of their own, in each half alone nearly so', () => {
    const words = hashWords([1, 2]);
    const pairs = Array.from({ length: 100_000 }, (_, i) => wordsOf(words, `user-${i}`) ?? '');
    expect(new Set(pairs).size).toBe(pairs.length);
    // Of 100,000 values of 32 bits one pair or two are expected to meet.
    for (const half of [0, 1]) expect(new Set(pairs.map((pair) => pair.split(',')[half])).size).toBeGreaterThan(pairs.length - 20);
  });

  test('texts that differ in their length alone, and seeds, make a difference', () => {
    const one = hashWords([1, 2]);
    expect(new Set(['', 'a', 'aa', '\0', '\0\0', 'a\0'].map((text) => wordsOf(one, text))).size).toBe(6);
    expect(wordsOf(one, 'a')).not.toBe(wordsOf(hashWords([3, 2]), 'a'));
    expect(wordsOf(userWords([1, 2]), '42')).toBe(wordsOf(idWords, '42'));
    expect(wordsOf(userWords([1, 2]), 'ann')).toBe(wordsOf(one, 'ann'));
  });
});

describe('a packed table', () => {
  test('is a Map, whatever is set, set again and pruned', () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          do: fc.constant('set' as const),
          key: fc.oneof(id, nearId),
          value: fc.integer({ min: 1, max: 0xffff_ffff }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('prune' as const), least: fc.integer({ min: 1, max: 0xffff_ffff }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = new PackedTable(idWords);
        const model = new Map<string, number>();
        for (const one of steps) {
          if (one.do === 'set') {
            table.set(one.key, one.value);
            model.set(one.key, one.value);
          } else {
            for (let segment = 0; segment < table.segments; segment++) table.prune(segment, (value) => value >= one.least);
            for (const [key, value] of model) if (value < one.least) model.delete(key);
          }
        }
        expect(table.size).toBe(model.size);
        for (const one of steps) if (one.do === 'set') expect(table.get(one.key)).toBe(model.get(one.key) ?? 0);
      }),
    );
  });

  test('holds what differs little through growth, and gives the room back', () => {
    const table = new PackedTable(idWords);
    const empty = table.bytes;
    for (let i = 0; i < 50_000; i++) table.set(String(2 ** 52 + i), i + 1);
    expect(table.size).toBe(50_000);
    for (let i = 0; i < 50_000; i++) expect(table.get(String(2 ** 52 + i))).toBe(i + 1);
    expect(table.get(String(2 ** 52 + 50_000))).toBe(0);
    expect(table.bytes / table.size).toBeLessThan(36);
    for (let segment = 0; segment < table.segments; segment++) table.prune(segment, (value) => value > 49_990);
    expect([table.size, table.get(String(2 ** 52 + 49_990)), table.get(String(2 ** 52))]).toEqual([10, 49_991, 0]);
    expect(table.bytes).toBeLessThanOrEqual(empty * 2);
  });

  test('keeps nothing under a text that is no key', () => {
    const table = new PackedTable(idWords);
    expect([table.set('x', 1), table.get('x'), table.size]).toEqual([false, 0, 0]);
  });
});
