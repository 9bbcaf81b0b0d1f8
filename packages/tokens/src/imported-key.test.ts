import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { isWherryError } from '@wherry/core';
import { exportPKCS8, exportSPKI } from 'jose';
import { describe, expect, test } from 'vitest';
import { readImportedKey } from './imported-key.ts';
import { SIGNING_ALGORITHMS } from './key-source.ts';
import { testKey } from './testing/fixtures.ts';

const jwkOf = (key: KeyObject): JsonWebKey => key.export({ format: 'jwk' });
const text = (jwk: object): string => JSON.stringify(jwk);

describe.each(SIGNING_ALGORITHMS)('%s', (alg) => {
  const { kid, privateKey, publicKey, jwk } = testKey(alg);

  test('comes as PKCS #8, as a public key and as a JWK of either part, and is the same', async () => {
    const pems = [
      await exportPKCS8(privateKey),
      privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      `\r\n${await exportPKCS8(privateKey)}\n`,
    ];
    for (const given of [...pems, text(jwkOf(privateKey))]) {
      const key = readImportedKey(given);
      expect(key).toMatchObject({ kid, alg, publicJwk: jwk });
      expect(key.privateKey?.equals(privateKey)).toBe(true);
    }
    for (const given of [await exportSPKI(publicKey), text(jwkOf(publicKey)), text(jwk)])
      expect(readImportedKey(given)).toEqual({ kid, alg, publicJwk: jwk });
  });

  test('keeps its private part out of what is published, and leaves it behind where it is to verify only', () => {
    const { publicJwk } = readImportedKey(text({ ...jwkOf(privateKey), kid: 'own', use: 'sig', key_ops: ['sign'] }));
    expect(Object.keys(publicJwk).toSorted()).toEqual(Object.keys(jwk).toSorted());
    expect(publicJwk.kid).toBe('own');
    expect(readImportedKey(text(jwkOf(privateKey)), { verifyOnly: true }).privateKey).toBeUndefined();
  });

  test('is called as the command says, else as it says', () => {
    const given = text({ ...jwk, kid: 'its own' });
    expect(readImportedKey(given, { kid: 'chosen' }).kid).toBe('chosen');
    expect(() => readImportedKey(given)).toThrowError(expect.objectContaining({ code: 'signing_key_invalid' }));
  });

  test('whose two parts are of two keys is none', () => {
    const { d, p, q, dp, dq, qi } = jwkOf(testKey(alg).privateKey);
    const mixed = text({
      ...jwkOf(publicKey),
      ...Object.fromEntries(Object.entries({ d, p, q, dp, dq, qi }).filter(([, value]) => value !== undefined)),
    });
    expect(() => readImportedKey(mixed)).toThrowError(expect.objectContaining({ code: 'signing_key_invalid' }));
  });
});

describe('a key is refused', () => {
  const ec = testKey('ES256');
  const pkcs8 = ec.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const ed448 = generateKeyPairSync('ed448');
  const pem = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString();
  test.each<[string, string, string]>([
    ['empty', '', 'neither'],
    ['of words', 'my key', 'neither'],
    ['in binary', '\0\x01', 'neither'],
    ['longer than any', ' '.repeat(20_000), 'longer'],
    ['twice in one file', pkcs8 + pkcs8, 'neither'],
    ['with words in front', `key: ${pkcs8}`, 'neither'],
    ['cut off', pkcs8.slice(0, 100), 'neither'],
    ['with a broken body', pkcs8.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'), 'not those of a key'],
    [
      'that is encrypted',
      ec.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
      'encrypted',
    ],
    ['in the older form', ec.privateKey.export({ format: 'pem', type: 'sec1' }).toString(), 'PKCS #8'],
    ['of 1024 bits', pem(rsa.privateKey), '1024 bits'],
    ['for another padding', pem(pss.privateKey), 'neither RSA'],
    ['of another curve', pem(p384.privateKey), 'neither RSA'],
    ['of another Edwards curve', pem(ed448.privateKey), 'neither RSA'],
    ['that is a secret', text({ kty: 'oct', k: 'c2VjcmV0' }), 'shared secret'],
    ['in a set', text({ keys: [ec.jwk] }), 'set of keys'],
    ['with a member twice', text(ec.jwk).replace('{', '{"kty":"EC",'), 'strict JSON'],
    ['for encryption', text({ ...ec.jwk, use: 'enc' }), 'use'],
    ['for other operations', text({ ...ec.jwk, key_ops: ['sign'] }), 'key_ops'],
    ['for another algorithm', text({ ...ec.jwk, alg: 'RS256' }), 'alg'],
    ['for an algorithm that is not ours', text({ ...ec.jwk, alg: 'ES384' }), 'alg'],
    ['off its curve', text({ ...ec.jwk, y: ec.jwk.x }), 'not those of a key'],
    ['of more than two primes', text({ ...jwkOf(testKey('RS256').privateKey), oth: [] }), 'primes'],
    ['with an id longer than any', text({ ...ec.jwk, kid: 'k'.repeat(129) }), 'id'],
    ['with an id that breaks lines', text({ ...ec.jwk, kid: 'a\nb' }), 'id'],
    ['with an id that is no text', text({ ...ec.jwk, kid: 7 }), 'kid'],
  ])('%s', (_, given, why) => {
    let caught: unknown;
    try {
      readImportedKey(given);
    } catch (error) {
      caught = error;
    }
    if (!isWherryError(caught, 'signing_key_invalid')) throw new Error('it was taken', { cause: caught });
    expect(caught.message).toContain(why);
    // Whoever prints the error prints nothing of the key.
    const words = given.match(/[A-Za-z0-9+/_-]{16,}/g) ?? [];
    for (const word of words) expect(`${caught.message} ${String(caught.cause)} ${JSON.stringify(caught)}`).not.toContain(word);
  });
});
