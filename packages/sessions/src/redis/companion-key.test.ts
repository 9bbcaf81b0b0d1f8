import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkPrefix, companionKey, keyPattern } from './companion-key.ts';

/** The slot of a key in a cluster: CRC-16/XMODEM of its hash tag, or of all of it (Redis cluster specification). */
function clusterSlot(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  let crc = 0;
  for (const byte of Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc % 16_384;
}

test('the slot that the specification gives as an example', () => {
  expect(clusterSlot('123456789')).toBe(0x31c3);
  expect(clusterSlot('{user1000}.following')).toBe(clusterSlot('{user1000}.followers'));
});

test('a companion lies in the slot of its session, and starts otherwise', () => {
  expect(companionKey('sess:abc')).toBe('{sess:abc}:w');
  const keys = fc
    .tuple(fc.constantFrom('sess:', '{app}:', '{app}', 'w', 'w:', 'a{b}c'), fc.string({ maxLength: 12 }))
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(keys, (key) => {
      const companion = companionKey(key);
      expect(companion[0]).not.toBe(key[0]);
      const tagged = /\{[^}]+\}/.test(key);
      if (tagged || !key.includes('}')) expect(clusterSlot(companion)).toBe(clusterSlot(key));
    }),
  );
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
  for (const prefix of ['', '{', '{{']) expect(() => checkPrefix(prefix)).toThrow('prefix');
  for (const prefix of ['sess:', '{app}', '{app}:', 'w:', 'w', '*', '}']) expect(() => checkPrefix(prefix)).not.toThrow();
});

test('glob characters of a prefix stand for themselves', () => {
  expect(keyPattern('sess:')).toBe('sess:*');
  expect(keyPattern('a*b?[c]\\:')).toBe('a\\*b\\?\\[c\\]\\\\:*');
});
