import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printableName } from './attribute-name.ts';
import { AttributeProfiles, type AttributeProfile } from './attribute-profiles.ts';
import { pathText } from './path-text.ts';

function profiled(sessions: readonly object[]): Map<string, AttributeProfile> {
  const profiles = new AttributeProfiles('salt');
  for (const session of sessions) profiles.add(session);
  return new Map(profiles.report().map((profile) => [pathText(profile.path), profile]));
}

test('paths, kinds, sizes, magnitudes and cardinalities are told, values are not', () => {
  const sessions = Array.from({ length: 100 }, (_, n) => ({
    user: { id: n * 1000, plan: n % 2 === 0 ? 'gold-plated' : 'silver-lined' },
    seen: '2026-01-01T10:00:00Z',
    tags: ['x', 'yy'],
    ...(n < 10 ? { beta: null } : {}),
  }));
  const found = profiled(sessions);
  expect(found.get('user.id')).toMatchObject({
    sessions: 100,
    kinds: { integer: 100 },
    magnitude: { negative: false, digits: 5 },
    distinct: { count: 100, exact: true },
  });
  expect(found.get('user.plan')).toMatchObject({ kinds: { text: 100 }, size: { min: 11, max: 12 }, distinct: { count: 2 } });
  expect(found.get('seen')).toMatchObject({ kinds: { instant: 100 } });
  expect(found.get('tags')).toMatchObject({ kinds: { array: 100 }, size: { min: 2, max: 2, mean: 2 } });
  expect(found.get('tags[]')).toMatchObject({ sessions: 100, kinds: { text: 200 } });
  expect(found.get('beta')).toMatchObject({ sessions: 10, kinds: { null: 10 } });
  const report = JSON.stringify([...found]);
  for (const value of ['gold-plated', 'silver-lined', '99000', '2026-01-01', '"yy"']) expect(report).not.toContain(value);
});

test('rare names that are data are masked, frequent and plain ones are shown', () => {
  const sessions = Array.from({ length: 100 }, (_, n) => ({
    theme: 1,
    [`user${n}@example.org`]: 1,
    carts: { [`4111-1111-${n}`]: { sku: 1 } },
    ...(n === 3 ? { '2b1f0c9e8d7a6b5c': 'x', ['n'.repeat(200)]: 1 } : {}),
  }));
  const found = profiled(sessions);
  expect([...found.keys()].toSorted()).toEqual(['*', 'carts', 'carts.*', 'theme']);
  expect(found.get('*')).toMatchObject({ distinct: null, kinds: { integer: 101, text: 1 } });
});

test('a map keyed by ordinary words is one attribute', () => {
  const word = (n: number): string => Array.from(String(n), (digit) => 'abcdefghij'[Number(digit)]).join('');
  const found = profiled(Array.from({ length: 200 }, (_, n) => ({ seen: { [word(n)]: true } })));
  expect([...found.keys()]).toEqual(['seen', 'seen.*']);
});

test('one session of 10,000 attributes does not hide those of the others', () => {
  const hostile = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`attribute${'x'.repeat(n % 30)}${n}`, n]));
  const found = profiled([hostile, ...Array.from({ length: 50 }, () => ({ theme: 'dark', hostile }))]);
  expect(found.get('theme')).toMatchObject({ sessions: 50, distinct: { count: 1 } });
  expect(found.size).toBeLessThan(2500);
});

test('whatever a session holds, it is counted and every path is one printable line', () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.string({ unit: 'binary', maxLength: 300 }), fc.jsonValue()), { maxLength: 8 }), (sessions) => {
      for (const path of profiled(sessions).keys()) {
        expect(path).toMatch(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u);
        expect(path.isWellFormed()).toBe(true);
      }
    }),
  );
});

test('names are shown so that they cannot act', () => {
  expect(printableName('größe 🚀')).toBe('größe 🚀');
  expect(printableName('a\nb\u202ec\u0000\u200b')).toBe('a\\u{a}b\\u{202e}c\\u{0}\\u{200b}');
  expect(printableName('x'.repeat(10_000))).toBe(`${'x'.repeat(60)}…`);
  expect(printableName('\ud800')).toBe('\ufffd');
});
