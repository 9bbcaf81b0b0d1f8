import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase64url } from './base64url.ts';

test('one text for the same bytes: what decodes is what encodes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(decodeBase64url(Buffer.from(bytes).toString('base64url'))).toEqual(Buffer.from(bytes));
    }),
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), (text) => {
      const bytes = decodeBase64url(text);
      if (bytes !== undefined) expect(bytes.toString('base64url')).toBe(text);
    }),
  );
});

test.each(['Zm8=', 'Zm9', 'Zh', 'Z', 'Zm8 ', ' Zm8', 'Zm\n8', 'Z+8_', 'Z/8_', 'Zm8.', 'Zm8\u0000', 'Zmöv'])('refuses %j', (text) => {
  expect(decodeBase64url(text)).toBeUndefined();
});
