import { generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { jwkThumbprint } from './jwk.ts';
import type { SigningAlgorithm } from './key-source.ts';

const generate = promisify(generateKeyPair);

/** The public part as it is stored and published (RFC 7517). */
export type PublicJwk = JsonWebKey & { readonly kid: string; readonly alg: SigningAlgorithm; readonly use: 'sig' };

/** A key pair that was just made. */
export interface NewKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicJwk: PublicJwk;
  readonly privateKey: KeyObject;
}

const PAIRS: Record<SigningAlgorithm, () => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>> = {
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  RS256: () => generate('rsa', { modulusLength: 2048 }),
  EdDSA: () => generate('ed25519'),
};

/** Makes a key pair, named by its thumbprint. */
export async function newKey(alg: SigningAlgorithm): Promise<NewKey> {
  const { publicKey, privateKey } = await PAIRS[alg]();
  const jwk = publicKey.export({ format: 'jwk' });
  const kid = jwkThumbprint(jwk);
  return { kid, alg, publicJwk: { ...jwk, kid, alg, use: 'sig' }, privateKey };
}
