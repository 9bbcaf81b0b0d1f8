import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { expireCookie, readCookie, serializeCookie, withoutCookie } from './cookies.ts';

const NAME = '__Host-rt';
const octets = "!#$%&'()*+-./0123456789:<=>?@ABCXYZ[]^_`abcxyz{|}~";
const value = fc.string({ unit: fc.constantFrom(...octets.split('')), maxLength: 40 });

describe('a cookie of this host', () => {
  it('has all that its prefix asks for', () => {
    expect(serializeCookie(NAME, 'abc')).toBe('__Host-rt=abc; Path=/; Secure; HttpOnly; SameSite=Lax');
    expect(serializeCookie(NAME, 'abc', { maxAgeSeconds: 60, sameSite: 'Strict' })).toBe(
      '__Host-rt=abc; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict',
    );
    expect(expireCookie(NAME)).toBe('__Host-rt=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax');
  });

  test.each(['rt', '__host-rt', '__Host-', '__Secure-rt', '__Host-a b', '__Host-a=b', '__Host-a;b', '__Host-a\r\nb', '__Host-ä'])(
    'is not named %j',
    (name) => {
      expect(() => serializeCookie(name, 'abc')).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    },
  );

  test.each(['a b', 'a;b', 'a,b', '"a"', 'a\\b', 'a\r\nSet-Cookie: x=y', 'a\0', 'ä', 'x'.repeat(4090)])(
    'does not have the value %j',
    (text) => {
      expect(() => serializeCookie(NAME, text)).toThrow(expect.not.stringContaining(text));
      expect(() => serializeCookie(NAME, text)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    },
  );

  test.each([-1, 1.5, Number.NaN, Infinity])('does not live %d seconds', (maxAgeSeconds) => {
    expect(() => serializeCookie(NAME, 'abc', { maxAgeSeconds })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  it('is read back as it was written, among any others', () => {
    fc.assert(
      fc.property(value, fc.array(fc.tuple(fc.constantFrom('a', '__host-rt', '__Host-rt2', 'x__Host-rt', ''), value)), (text, others) => {
        const pairs = others.map(([name, other]) => `${name}=${other.replaceAll('__Host-rt', '')}`);
        const written = serializeCookie(NAME, text).split(';', 1)[0] ?? '';
        for (const header of [
          [...pairs, written],
          [written, ...pairs],
        ]) {
          expect(readCookie(header.join('; '), NAME)).toBe(text);
          expect(readCookie(header.join(';'), NAME)).toBe(text);
        }
        expect(readCookie([...pairs, written, written].join('; '), NAME)).toBeUndefined();
      }),
    );
    expect(readCookie(undefined, NAME)).toBeUndefined();
    expect(readCookie('', NAME)).toBeUndefined();
  });
});

describe('a header without a cookie', () => {
  test.each([
    ['__Host-rt=secret', undefined],
    ['a=1; __Host-rt=secret; b=2', 'a=1; b=2'],
    ['__Host-rt=secret; a=1', 'a=1'],
    ['a=1;__Host-rt=secret', 'a=1'],
    ['a=1; __Host-rt = secret ; b=2', 'a=1; b=2'],
    ['__Host-rt=one; a=1; __Host-rt=two', 'a=1'],
    ['a=1; __Host-rt; b=2', 'a=1; b=2'],
    ['a=__Host-rt; b=2', 'a=__Host-rt; b=2'],
    ['__Host-rt2=x; x__Host-rt=y', '__Host-rt2=x; x__Host-rt=y'],
    ['a=1;  b=2 ', 'a=1;  b=2 '],
  ])('%j is %j', (header, left) => {
    expect(withoutCookie(header, NAME)).toBe(left);
  });

  test('holds nothing of it, whatever was sent', () => {
    const piece = fc.constantFrom('__Host-rt', '=', ';', ' ', 'a', 'secret', '"', '\t', ',');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const left = withoutCookie(pieces.join(''), NAME) ?? '';
        for (const pair of left.split(';')) expect(pair.split('=')[0]?.trim()).not.toBe(NAME);
        expect(withoutCookie(left, NAME) ?? '').toBe(left);
      }),
    );
  });
});
