import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { MAX_KID_LENGTH } from './compact-jws.ts';
import { parseStrictJson, type JsonObject } from './json.ts';
import { importVerificationKey, jwkThumbprint } from './jwk.ts';
import type { SigningAlgorithm } from './key-source.ts';
import type { PublicJwk } from './new-key.ts';
import { createSignature, verifySignature } from './signature.ts';

/** A key from elsewhere, checked. */
export interface ImportedKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicJwk: PublicJwk;
  /** Absent: it verifies only. */
  readonly privateKey?: KeyObject;
}

/** Options of {@link readImportedKey}. */
export interface ImportOptions {
  /** Its name from now on; default: the one that a JWK gives it, else its thumbprint. */
  readonly kid?: string;
  /** Leaves a private part that is there behind. */
  readonly verifyOnly?: boolean;
}

const LONGEST_TEXT = 16_384;
const KID = /^[\w.~:@=+/-]+$/;
const PEM = /^-----BEGIN ([A-Z0-9 ]+)-----\r?\n[A-Za-z0-9+/=\s]+-----END \1-----$/;
const PROBE = Buffer.from('a message to prove that both parts belong together');

/**
 * Reads one key from text: PEM (`PRIVATE KEY`, PKCS #8, RFC 5958; or `PUBLIC KEY`, RFC 5280) or a JWK (RFC 7517). Throws
 * `signing_key_invalid` for what is no key, is of a type, size or curve that nothing here signs with, or whose two
 * parts do not belong together. No message holds anything of the key.
 */
export function readImportedKey(text: string, { kid, verifyOnly = false }: ImportOptions = {}): ImportedKey {
  if (text.length > LONGEST_TEXT) throw invalid(`the text is longer than ${LONGEST_TEXT} characters`);
  const given = text.trim().startsWith('{') ? readJwk(text) : readPem(text.trim());
  const alg = algorithmOf(given.publicKey);
  if (given.alg !== undefined && given.alg !== alg) throw invalid('its alg is not what its type signs with');
  const exported = given.publicKey.export({ format: 'jwk' });
  const name = kid ?? given.kid ?? jwkThumbprint(exported);
  if (!KID.test(name) || name.length > MAX_KID_LENGTH) throw invalid('its id is not 1 to 128 of letters, digits and . _ ~ : @ = + / -');
  const publicJwk: PublicJwk = { ...exported, kid: name, alg, use: 'sig' };
  const verification = importVerificationKey(publicJwk);
  if (given.privateKey === undefined) return { kid: name, alg, publicJwk };
  if (!verifySignature(verification, PROBE, createSignature(alg, given.privateKey, PROBE)))
    throw invalid('its private part does not belong to its public one');
  return { kid: name, alg, publicJwk, ...(verifyOnly ? {} : { privateKey: given.privateKey }) };
}

interface Given {
  readonly publicKey: KeyObject;
  readonly privateKey?: KeyObject;
  readonly kid?: string;
  readonly alg?: string;
}

function readPem(text: string): Given {
  const label = PEM.exec(text)?.[1] ?? '';
  switch (label) {
    case 'PUBLIC KEY':
      return { publicKey: parsed(() => createPublicKey(text)) };
    case 'PRIVATE KEY': {
      const privateKey = parsed(() => createPrivateKey(text));
      return { privateKey, publicKey: createPublicKey(privateKey) };
    }
    case 'ENCRYPTED PRIVATE KEY':
      throw invalid('it is encrypted; decrypt it first (openssl pkcs8)');
    case 'RSA PRIVATE KEY':
    case 'EC PRIVATE KEY':
      throw invalid('it is not PKCS #8; convert it first (openssl pkcs8 -topk8 -nocrypt)');
    default:
      throw invalid('it is neither one PEM block, PRIVATE KEY or PUBLIC KEY, nor a JWK');
  }
}

function readJwk(text: string): Given {
  const jwk = parseStrictJson(text, { maxDepth: 3 });
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) throw invalid('it is not strict JSON');
  if ('keys' in jwk) throw invalid('it is a set of keys; give one');
  const { kid, alg, use, key_ops: operations, kty, crv, x, y, n, e } = jwk;
  if (kid !== undefined && typeof kid !== 'string') throw invalid('its kid is no text');
  if (alg !== undefined && typeof alg !== 'string') throw invalid('its alg is no text');
  if (use !== undefined && use !== 'sig') throw invalid('its use is not sig');
  if ('k' in jwk || 'oth' in jwk) throw invalid('it is a shared secret, or has more than two primes');
  const isPrivate = 'd' in jwk;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes(isPrivate ? 'sign' : 'verify')))
    throw invalid(`its key_ops lack ${isPrivate ? 'sign' : 'verify'}`);
  const parts = Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined));
  const publicKey = parsed(() => createPublicKey({ key: parts, format: 'jwk' }));
  const named = { ...(kid === undefined ? {} : { kid }), ...(alg === undefined ? {} : { alg }) };
  return isPrivate ? { publicKey, privateKey: privateOf(jwk), ...named } : { publicKey, ...named };
}

function privateOf(jwk: JsonObject): KeyObject {
  return parsed(() => createPrivateKey({ key: { ...jwk }, format: 'jwk' }));
}

/** What a reader says of a broken key is not passed on: it may quote it. */
function parsed(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch {
    throw invalid('its values are not those of a key');
  }
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): SigningAlgorithm {
  if (type === 'rsa') return 'RS256';
  if (type === 'ed25519') return 'EdDSA';
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ES256';
  throw invalid('it is neither RSA, P-256 nor Ed25519');
}

function invalid(why: string): WherryError {
  return new WherryError('signing_key_invalid', `the key cannot be imported: ${why}`);
}
