import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOfText, textOfBytes } from './text-of-bytes.ts';

test('any bytes come back, from one text that JSON and a text column take', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        const text = textOfBytes(bytes);
        expect(text).not.toContain('\u0000');
        expect(bytesOfText(text)).toEqual(Buffer.from(bytes));
        expect(textOfBytes(bytesOfText(text)!)).toBe(text);
        // As a stamp beside it does.
        expect(bytesOfText(JSON.stringify({ ...(JSON.parse(text) as object), stamp: 1 }))).toEqual(Buffer.from(bytes));
      },
    ),
  );
});

test.each([
  '',
  '{',
  '7',
  'null',
  '[]',
  '{}',
  '{"text":7}',
  '{"text":"\\ud800"}',
  '{"base64":"AA"}',
  '{"base64":"A A=="}',
  '{"text":"","base64":""}',
])('%j stands for no bytes', (text) => expect(bytesOfText(text)).toBeUndefined());
