import { sign, verify, type KeyObject } from 'node:crypto';
import type { SigningAlgorithm, VerificationKey } from './key-source.ts';

/** Order of the group of P-256 (SP 800-186 section 3.2.1.3), big-endian. */
const P256_ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
/** Order of the prime subgroup of edwards25519 (RFC 8032 section 5.1), big-endian. */
const ED25519_ORDER = Buffer.from('1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed', 'hex');
const ZERO = Buffer.alloc(32);

interface Scheme {
  readonly verify: (key: KeyObject, input: Uint8Array, signature: Buffer) => boolean;
  readonly sign: (key: KeyObject, input: Uint8Array) => Buffer;
}

const SCHEMES: Record<SigningAlgorithm, Scheme> = {
  // RFC 7518 section 3.4: r and s, 32 bytes each.
  ES256: {
    verify: (key, input, signature) =>
      isScalar(signature.subarray(0, 32)) &&
      isScalar(signature.subarray(32)) &&
      verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature),
    sign: (key, input) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }),
  },
  // RFC 7518 section 3.3: PKCS #1 v1.5.
  RS256: {
    verify: (key, input, signature) => verify('sha256', input, key, signature),
    sign: (key, input) => sign('sha256', input, key),
  },
  // RFC 8037 section 3.1: Ed25519.
  EdDSA: {
    verify: (key, input, signature) => isReduced(signature.subarray(32)) && verify(null, input, key, signature),
    sign: (key, input) => sign(null, input, key),
  },
};

/** True when `signature` over `input` was made with the private part of `key`. Never throws. */
export function verifySignature(key: VerificationKey, input: Uint8Array, signature: Buffer): boolean {
  return signature.length === key.signatureBytes && SCHEMES[key.alg].verify(key.publicKey, input, signature);
}

/** The signature of `input` in the form of JWS. */
export function createSignature(alg: SigningAlgorithm, privateKey: KeyObject, input: Uint8Array): Buffer {
  return SCHEMES[alg].sign(privateKey, input);
}

/** 1 to n - 1 (SP 800-186, FIPS 186-5 section 6.4.2): r = s = 0 was once accepted by a whole platform. */
function isScalar(value: Buffer): boolean {
  return value.compare(P256_ORDER) < 0 && value.compare(ZERO) !== 0;
}

/** S below the order (RFC 8032 section 5.1.7), or S and S + L would both sign. */
function isReduced(littleEndian: Buffer): boolean {
  return Buffer.compare(littleEndian.toReversed(), ED25519_ORDER) < 0;
}
