import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clusterSlot, tagOfSlot } from './cluster-slot.ts';
import { checkPrefix, companionKey, isCompanion, keyPattern } from './companion-key.ts';

test('the slot that the specification gives as an example', () => {
  expect(clusterSlot('123456789')).toBe(0x31c3);
  expect(clusterSlot('{user1000}.following')).toBe(clusterSlot('{user1000}.followers'));
});

test('a companion lies in the slot of its session, and starts otherwise', () => {
  expect(companionKey('sess:abc')).toBe('{sess:abc}:w');
  const keys = fc
    .tuple(
      fc.constantFrom('sess:', '{app}:', '{app}', 'w', 'w:', 'a{b}c'),
      fc.string({ unit: fc.constantFrom('{', '}', 'a', ':', 'w', 'é', '😀'), maxLength: 12 }),
    )
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(keys, (key) => {
      const companion = companionKey(key);
      expect(companion[0]).not.toBe(key[0]);
      expect(clusterSlot(companion)).toBe(clusterSlot(key));
      expect(isCompanion(companion)).toBe(true);
      if (key.startsWith('sess:')) expect(isCompanion(key)).toBe(false);
    }),
    { numRuns: 2000, examples: [['sess:}:w'], ['w{a}:w'], ['}']] },
  );
});

test('every slot has a tag of its own', () => {
  for (let slot = 0; slot < 16_384; slot++) expect(clusterSlot(`{${tagOfSlot(slot)}}:w`)).toBe(slot);
});

test('a key of bytes lies in the slot of its bytes', () => {
  const key = 'sess:é😀}';
  expect(clusterSlot(Buffer.from(key).toString('latin1'), 'latin1')).toBe(clusterSlot(key));
  expect(companionKey(Buffer.from(key).toString('latin1'), 'latin1')).toBe(Buffer.from(companionKey(key)).toString('latin1'));
});

test('different sessions have different companions', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('{', '}', 'a', ':', 'w') }),
      fc.string({ unit: fc.constantFrom('{', '}', 'a', ':', 'w') }),
      (a, b) => {
        if (a !== b) expect(companionKey(`sess:${a}`)).not.toBe(companionKey(`sess:${b}`));
      },
    ),
    { numRuns: 2000 },
  );
});

test('prefixes that would take companions for sessions are refused', () => {
  for (const prefix of ['{', '{{']) expect(() => checkPrefix(prefix)).toThrow('prefix');
  for (const prefix of ['', 'sess:', '{app}', '{app}:', 'w:', 'w', '*', '}']) expect(() => checkPrefix(prefix)).not.toThrow();
});

test('glob characters of a prefix stand for themselves', () => {
  expect(keyPattern('sess:')).toBe('sess:*');
  expect(keyPattern('a*b?[c]\\:')).toBe('a\\*b\\?\\[c\\]\\\\:*');
});
