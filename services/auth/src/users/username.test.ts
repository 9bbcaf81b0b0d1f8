import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUsername } from './username.ts';

describe('a username', () => {
  it('is one name in every case, width and composition', () => {
    const names = ['Zoë', 'ZOË', 'zoë', 'Ｚｏë', 'Zoe\u0308'].map((text) => readUsername(text));
    expect(new Set(names.map((name) => name?.canonical))).toEqual(new Set(['zoë']));
    expect(new Set(names.map((name) => name?.key.id)).size).toBe(1);
    expect(names[0]?.shown).toBe('Zoë');
  });

  it.each(['', ' ', 'a b', ' a', 'a\n', 'a\u0000', 'a/b', 'a:b', '\ud800', 'a\u200b', 'a'.repeat(65), 'é'.repeat(300), '<a>'])(
    'is not %j',
    (text) => {
      expect(readUsername(text)).toBeUndefined();
    },
  );

  it('has one canonical form, which is its own', () => {
    const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 20 }));
    fc.assert(
      fc.property(anyText, (text) => {
        const name = readUsername(text);
        if (name === undefined) return;
        const again = readUsername(name.canonical);
        expect(again?.canonical).toBe(name.canonical);
        expect(again?.key).toEqual(name.key);
        expect(name.key.id).toBeGreaterThanOrEqual(0n);
      }),
      { numRuns: 2000 },
    );
  });
});
