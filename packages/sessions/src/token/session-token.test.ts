import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintSessionToken, parseSessionToken } from './session-token.ts';

const ids = fc.bigInt({ min: 1n, max: (1n << 63n) - 1n });
const secrets = fc.uint8Array({ minLength: 24, maxLength: 24 });

describe('session token', () => {
  // Computed apart from the code, with Python's base64, zlib and hashlib. Tokens in the field depend on them.
  test.each([
    {
      id: 1n,
      secret: '000000000000000000000000000000000000000000000000',
      token: 'st_AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAC8gcWj',
      digest: '9d908ecfb6b256def8b49a7c504e6c889c4b0e41fe6ce3e01863dd7b61a20aa0',
      slot: 11541,
    },
    {
      id: 9223372036854775807n,
      secret: 'ffffffffffffffffffffffffffffffffffffffffffffffff',
      token: 'st_f_________________________________________8Vp9xD',
      digest: '44a5f7891570e5631e8c91c85186e6633f4ab5364f644040b2a00126a07985b6',
      slot: 10990,
    },
    {
      id: 7205759403792793601n,
      secret: '000102030405060708090a0b0c0d0e0f1011121314151617',
      token: 'st_ZAAAAAAAAAEAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhejiNVJ',
      digest: '1d64add2a6388367c9bc2d1f1b384b069a6ef382cdaaa89771dd103e28613a25',
      slot: 5887,
    },
  ])('golden vector %#', ({ id, secret, token, digest, slot }) => {
    const bytes = Buffer.from(secret, 'hex');
    expect(mintSessionToken(id, bytes).token).toBe(token);
    expect(parseSessionToken(token)).toEqual({ id, slot, digest: Buffer.from(digest, 'hex') });
  });

  test('what was minted is parsed to the same key', () => {
    fc.assert(
      fc.property(ids, secrets, (id, secret) => {
        const { token, key } = mintSessionToken(id, secret);
        expect(token).toMatch(/^st_[A-Za-z0-9_-]{48}$/);
        expect(parseSessionToken(token)).toEqual(key);
        expect(key.digest).toEqual(createHash('sha256').update(secret).digest());
      }),
    );
  });

  test('secrets are not repeated', () => {
    expect(mintSessionToken(7n).token).not.toBe(mintSessionToken(7n).token);
  });

  test('one changed, removed or added character is told', () => {
    fc.assert(
      fc.property(ids, secrets, fc.nat({ max: 50 }), fc.integer({ min: 1, max: 63 }), (id, secret, at, shift) => {
        const { token } = mintSessionToken(id, secret);
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
        const other = alphabet[(alphabet.indexOf(token.charAt(at)) + shift) % 64];
        expect(parseSessionToken(token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
        expect(parseSessionToken(token.slice(0, at) + token.slice(at + 1))).toBeUndefined();
        expect(parseSessionToken(token.slice(0, at) + other + token.slice(at))).toBeUndefined();
      }),
    );
  });

  test('any text is answered without a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(parseSessionToken(text)).toBeUndefined();
        expect(parseSessionToken(`st_${text}`)).toBeUndefined();
      }),
    );
  });

  test('the standard alphabet, padding, white space and a second spelling are refused', () => {
    const { token } = mintSessionToken(1n, Buffer.alloc(24, 0xff));
    expect(parseSessionToken(token)).toBeDefined();
    expect(parseSessionToken(token.replaceAll('_', '/').replace('st/', 'st_'))).toBeUndefined();
    for (const text of [`${token}=`, `${token}\n`, ` ${token}`, token.replace('st_', 'ST_')])
      expect(parseSessionToken(text)).toBeUndefined();
  });

  test('an id outside 1 … 2^63 - 1 is refused both ways', () => {
    for (const id of [0n, -1n, 1n << 63n]) expect(() => mintSessionToken(id)).toThrow(RangeError);
    expect(() => mintSessionToken(1n, Buffer.alloc(23))).toThrow(RangeError);
    // Checksums are right in both; only the id is out of range.
    expect(parseSessionToken('st_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZClWt')).toBeUndefined();
    expect(parseSessionToken('st_gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADzwSLl')).toBeUndefined();
  });
});
