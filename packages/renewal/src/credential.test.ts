import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { slotOf } from '@wherry/shards';
import { describe, expect, test } from 'vitest';
import {
  credentialText,
  newCredential,
  parseRenewalCredential,
  readCredential,
  siblingCredential,
  type RenewalCredential,
} from './credential.ts';

const ids = fc.bigInt({ min: 1n, max: (1n << 63n) - 1n });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const credentials: fc.Arbitrary<RenewalCredential> = fc
  .record({
    mode: fc.constantFrom('credential' as const, 'bearer' as const),
    sessionId: ids,
    familyId: ids,
    familySecret: bytes(16),
    secret: bytes(24),
  })
  .map((part) => ({ ...part, slot: slotOf(part.sessionId) }));

describe('renewal credential', () => {
  // Computed apart from the code, with Python's base64 and zlib. Credentials in the field depend on them.
  test.each([
    {
      mode: 'credential',
      sessionId: 1n,
      familyId: 2n,
      familySecret: '00'.repeat(16),
      secret: '00'.repeat(24),
      text: 'rt_AAAAAAAAAAEAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABXzq1Z',
    },
    {
      mode: 'bearer',
      sessionId: 9_223_372_036_854_775_807n,
      familyId: 7_205_759_403_792_793_601n,
      familySecret: '000102030405060708090a0b0c0d0e0f',
      secret: 'ff'.repeat(24),
      text: 'rj_f_________9kAAAAAAAAAQABAgMEBQYHCAkKCwwNDg________________________________9kpaDI',
    },
  ] as const)('golden vector %#', ({ mode, sessionId, familyId, familySecret, secret, text }) => {
    const credential = {
      mode,
      sessionId,
      familyId,
      slot: slotOf(sessionId),
      familySecret: Buffer.from(familySecret, 'hex'),
      secret: Buffer.from(secret, 'hex'),
    };
    expect(credentialText(credential)).toBe(text);
    expect(readCredential(text)).toEqual(credential);
  });

  test('what was made is read as it was, and names its session without its secrets', () => {
    fc.assert(
      fc.property(credentials, (credential) => {
        const text = credentialText(credential);
        expect(text).toMatch(/^r[tj]_[A-Za-z0-9_-]{80}$/);
        expect(readCredential(text)).toEqual(credential);
        const { familySecret: _familySecret, secret: _secret, ...selector } = credential;
        expect(parseRenewalCredential(text)).toEqual(selector);
      }),
    );
  });

  test('one changed, removed or added character is told', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    fc.assert(
      fc.property(credentials, fc.integer({ min: 3, max: 82 }), fc.integer({ min: 1, max: 63 }), (credential, at, shift) => {
        const text = credentialText(credential);
        const other = alphabet[(alphabet.indexOf(text.charAt(at)) + shift) % 64];
        expect(readCredential(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
        expect(readCredential(text.slice(0, at) + text.slice(at + 1))).toBeUndefined();
        expect(readCredential(text.slice(0, at) + other + text.slice(at))).toBeUndefined();
      }),
    );
  });

  test('any text is answered without a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const attempt of [text, `rt_${text}`, `rj_${text}`]) expect(parseRenewalCredential(attempt)).toBeUndefined();
      }),
    );
  });

  test('another prefix, padding, white space and the standard alphabet are refused', () => {
    const text = credentialText(siblingCredential(newCredential('credential', 5n), Buffer.alloc(24, 0xff)));
    expect(parseRenewalCredential(text)).toBeDefined();
    for (const other of [`${text}=`, `${text}\n`, ` ${text}`, text.replace('rt_', 'st_'), text.replace('rt_', 'RT_'), text.slice(3)])
      expect(parseRenewalCredential(other)).toBeUndefined();
    expect(parseRenewalCredential(`rt_${text.slice(3).replaceAll('_', '/')}`)).toBeUndefined();
  });

  test('ids out of range are refused both ways', () => {
    for (const id of [0n, -1n, 1n << 63n]) expect(() => newCredential('credential', id)).toThrow(RangeError);
    const credential = newCredential('credential', 5n);
    for (const sessionId of [0n, 1n << 63n]) expect(readCredential(credentialText({ ...credential, sessionId }))).toBeUndefined();
    for (const familyId of [0n, 1n << 63n]) expect(readCredential(credentialText({ ...credential, familyId }))).toBeUndefined();
  });

  test('credentials of a family share their family secret and nothing else', () => {
    const first = newCredential('credential', 5n);
    const second = siblingCredential(first);
    expect(second).toEqual({ ...first, secret: second.secret });
    expect(second.secret).not.toEqual(first.secret);
    expect(newCredential('credential', 5n).familySecret).not.toEqual(first.familySecret);
    expect(siblingCredential(first, randomBytes(24)).familyId).toBe(first.familyId);
  });
});
