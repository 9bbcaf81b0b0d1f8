import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { decodeBase64url } from './base64url.ts';
import { isSigningAlgorithm, type SigningAlgorithm, type VerificationKey } from './key-source.ts';

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
/** Nobody uses more, and a large exponent makes every signature check as slow as signing. */
const MAX_RSA_EXPONENT: bigint = 2n ** 32n - 1n;
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Points of small order on edwards25519 by their y, sign bit cleared: a signature under them says nothing about its message. */
const SMALL_ORDER_Y = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/**
 * Takes a public key in (RFC 7517), bound to the one algorithm that it names. Throws `signing_key_invalid` for a key
 * that is secret or private, has another purpose, another algorithm or curve, or a value that makes forging possible.
 */
export function importVerificationKey(jwk: Readonly<Record<string, unknown>>): VerificationKey {
  const { kid, alg } = jwk as { kid?: unknown; alg?: unknown };
  if (typeof kid !== 'string' || kid === '') throw invalid('it has no kid');
  if (!isSigningAlgorithm(alg)) throw invalid('its alg is not ES256, RS256 or EdDSA');
  return { kid, alg, ...importPublicKey(jwk, alg) };
}

/** Takes in the public key that `jwk` has for `alg`, whatever it says of its name and algorithm. Throws as {@link importVerificationKey}. */
export function importPublicKey(
  jwk: Readonly<Record<string, unknown>>,
  alg: SigningAlgorithm,
): Pick<VerificationKey, 'publicKey' | 'signatureBytes'> {
  const { use, key_ops: operations } = jwk as { use?: unknown; key_ops?: unknown };
  if (use !== undefined && use !== 'sig') throw invalid('its use is not sig');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) throw invalid('its key_ops lack verify');
  if (SECRET_MEMBERS.some((name) => name in jwk)) throw invalid('it holds secret parts');
  return IMPORTS[alg](jwk);
}

/** Name of a key that follows from its public part (RFC 7638, SHA-256): no two keys share one. */
export function jwkThumbprint(jwk: JsonWebKey): string {
  const required = jwk.kty === 'RSA' ? { e: jwk.e, kty: jwk.kty, n: jwk.n } : { crv: jwk.crv, kty: jwk.kty, x: jwk.x };
  return createHash('sha256')
    .update(JSON.stringify(jwk.kty === 'EC' ? { ...required, y: jwk.y } : required))
    .digest('base64url');
}

/** How the values of a key of each algorithm are checked and taken in. */
const IMPORTS: Record<SigningAlgorithm, (jwk: Readonly<Record<string, unknown>>) => Pick<VerificationKey, 'publicKey' | 'signatureBytes'>> =
  {
    ES256: (jwk) => {
      requireMembers(jwk, { kty: 'EC', crv: 'P-256' });
      requireBytes(jwk['x'], 32);
      requireBytes(jwk['y'], 32);
      return { publicKey: createKey({ kty: 'EC', crv: 'P-256', x: jwk['x'], y: jwk['y'] }), signatureBytes: 64 };
    },
    RS256: (jwk) => {
      requireMembers(jwk, { kty: 'RSA' });
      // One key has one form, and so one thumbprint (RFC 7518 section 6.3.1).
      for (const value of [jwk['n'], jwk['e']]) if (!isUnsignedInteger(value)) throw invalid('its n or e is not in its shortest form');
      return rsaKey(createKey({ kty: 'RSA', n: jwk['n'], e: jwk['e'] }));
    },
    EdDSA: (jwk) => {
      requireMembers(jwk, { kty: 'OKP', crv: 'Ed25519' });
      const y = Buffer.from(requireBytes(jwk['x'], 32));
      y.writeUInt8(y.readUInt8(31) & 0x7f, 31);
      if (SMALL_ORDER_Y.has(y.toString('hex'))) throw invalid('its point has a small order');
      return { publicKey: createKey({ kty: 'OKP', crv: 'Ed25519', x: jwk['x'] }), signatureBytes: 64 };
    },
  };

function rsaKey(publicKey: KeyObject): { publicKey: KeyObject; signatureBytes: number } {
  const { modulusLength: bits = 0, publicExponent: e = 0n } = publicKey.asymmetricKeyDetails ?? {};
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)
    throw invalid(`its modulus has ${bits} bits; ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are allowed`);
  // With e = 1 every padded message is its own signature; an even e has no inverse.
  if (e < 3n || e % 2n === 0n || e > MAX_RSA_EXPONENT) throw invalid('its public exponent is not odd and from 3 to 2^32');
  return { publicKey, signatureBytes: Math.ceil(bits / 8) };
}

/** OpenSSL checks that the point lies on the curve. */
function createKey(jwk: Record<string, unknown>): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch (cause) {
    throw invalid('its values are not those of a key', cause);
  }
}

function requireMembers(jwk: Readonly<Record<string, unknown>>, members: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(members)) if (jwk[name] !== value) throw invalid(`its ${name} is not ${value}`);
}

function isUnsignedInteger(text: unknown): boolean {
  const bytes = typeof text === 'string' ? decodeBase64url(text) : undefined;
  return bytes !== undefined && bytes.length > 0 && bytes[0] !== 0;
}

function requireBytes(text: unknown, length: number): Buffer {
  const bytes = typeof text === 'string' ? decodeBase64url(text) : undefined;
  if (bytes?.length !== length) throw invalid(`a coordinate is not ${length} bytes`);
  return bytes;
}

function invalid(why: string, cause?: unknown): WherryError {
  return new WherryError('signing_key_invalid', `a key cannot be used: ${why}`, { cause });
}
