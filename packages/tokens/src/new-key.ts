import { generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { jwkThumbprint } from './jwk.ts';
import { DEFAULT_RSA_BITS } from './key-policy.ts';
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

const PAIRS: Record<SigningAlgorithm, (rsaBits: number) => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>> = {
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  RS256: (rsaBits) => generate('rsa', { modulusLength: rsaBits }),
  EdDSA: () => generate('ed25519'),
};

/** Makes a key pair, named by its thumbprint. `rsaBits` counts for RS256 alone. */
export async function newKey(alg: SigningAlgorithm, rsaBits: number = DEFAULT_RSA_BITS): Promise<NewKey> {
  const { publicKey, privateKey } = await PAIRS[alg](rsaBits);
  const jwk = publicKey.export({ format: 'jwk' });
  const kid = jwkThumbprint(jwk);
  return { kid, alg, publicJwk: { ...jwk, kid, alg, use: 'sig' }, privateKey };
}
