import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { importVerificationKey } from './jwk.ts';
import { createSignature, verifySignature } from './signature.ts';
import { testKey } from './testing/fixtures.ts';

const ec = testKey('ES256').jwk;
const rsa = testKey('RS256').jwk;
const ed = testKey('EdDSA').jwk;
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' });

describe('a key is refused', () => {
  test.each<[string, Record<string, unknown>]>([
    ['without a name', { ...ec, kid: undefined }],
    ['without an algorithm', { ...ec, alg: undefined }],
    ['for HMAC', { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256', kid: 'k' }],
    ['of another algorithm', { ...rsa, alg: 'PS256' }],
    ['whose type is not its algorithm', { ...ec, alg: 'RS256' }],
    ['whose curve is not its algorithm', { ...p384, alg: 'ES256', kid: 'k' }],
    ['for encryption', { ...ec, use: 'enc' }],
    ['for other operations', { ...ec, key_ops: ['encrypt'] }],
    ['with operations that are no list', { ...ec, key_ops: 'verify' }],
    ['with its private part', { ...ec, d: ec.x }],
    ['off its curve', { ...ec, y: ec.x }],
    ['with a short coordinate', { ...ec, x: 'AAAA' }],
    ['with a padded coordinate', { ...ec, x: `${ec.x}=` }],
    ['with a coordinate that is no text', { ...ec, x: 1 }],
    ['of 1024 bits', { ...small, alg: 'RS256', kid: 'k' }],
    ['with exponent 1', { ...rsa, e: 'AQ' }],
    ['with an even exponent', { ...rsa, e: 'AgAA' }],
    ['without a modulus', { ...rsa, n: undefined }],
    ['on another Edwards curve', { ...ed, crv: 'Ed448' }],
    ['of small order: the neutral element', { ...ed, x: Buffer.from(`01${'00'.repeat(31)}`, 'hex').toString('base64url') }],
    ['of small order: order 4', { ...ed, x: Buffer.alloc(32).toString('base64url') }],
    [
      'of small order: order 8',
      { ...ed, x: Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa', 'hex').toString('base64url') },
    ],
  ])('%s', (_, jwk) => {
    expect(() => importVerificationKey(jwk)).toThrowError(expect.objectContaining({ code: 'signing_key_invalid' }));
  });
});

test('EdDSA: S raised by the order of the group, which is the same value again, does not verify', () => {
  const key = testKey('EdDSA');
  const input = Buffer.from('abc');
  const signature = createSignature('EdDSA', key.privateKey, input);
  expect(verifySignature(key.verification, input, signature)).toBe(true);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s =
    BigInt(
      `0x${Buffer.from(signature.subarray(32))
        .toReversed()
        .reduce((hex, byte) => hex + byte.toString(16).padStart(2, '0'), '')}`,
    ) + order;
  const raised = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed();
  expect(verifySignature(key.verification, input, Buffer.concat([signature.subarray(0, 32), raised]))).toBe(false);
});
