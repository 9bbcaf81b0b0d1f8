import { createKrupteinAdapter, createWebCryptoAdapter } from 'connect-mongo';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { krupteinCipher, webCryptoCipher, type SessionCipher } from './cipher.ts';
import { readOctetStrings, writeOctetStrings } from './octet-strings.ts';

const secret = 'kept by the application';
const texts = ['{"cookie":{"originalMaxAge":null}}', '', 'ä 😀', '"quoted"', 'x'.repeat(100_000)];

const kinds: readonly (readonly [string, (secret: string) => SessionCipher, (secret: string) => SessionCipher])[] = [
  ['kruptein', krupteinCipher, (theirs) => createKrupteinAdapter({ secret: theirs })],
  ['Web Crypto', webCryptoCipher, (theirs) => createWebCryptoAdapter({ secret: theirs })],
];

test.each(kinds)('%s: what the application encrypts is read, and what is encrypted here it reads', async (_, make, makeTheirs) => {
  const [ours, theirs] = [make(secret), makeTheirs(secret)];
  for (const text of texts) {
    expect(await ours.decrypt(await theirs.encrypt(text))).toBe(await theirs.decrypt(await theirs.encrypt(text)));
    expect(await theirs.decrypt(await ours.encrypt(text))).toBe(await theirs.decrypt(await theirs.encrypt(text)));
  }
});

test.each(kinds)('%s: another secret, a changed byte and any other text are refused', async (_, make) => {
  const cipher = make(secret);
  const text = await cipher.encrypt('{"cookie":{}}');
  await expect(make('another secret').decrypt(text)).rejects.toThrow();
  const bytes = Buffer.from(text, 'base64');
  for (let at = 0; at < bytes.length; at += 41) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(cipher.decrypt(changed.toString('base64'))).rejects.toThrow();
  }
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.base64String({ minLength: 60 })), async (other) => {
      await expect(cipher.decrypt(other)).rejects.toThrow();
    }),
    { numRuns: 20 },
  );
});

test('octet strings come back, and no bytes lead out of themselves', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (parts) => {
      expect(readOctetStrings(writeOctetStrings(parts.map(Buffer.from)))).toEqual(parts.map((part) => Buffer.from(part)));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(Array.isArray(readOctetStrings(Buffer.from(bytes)))).toBe(true);
    }),
  );
});
