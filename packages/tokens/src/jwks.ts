import type { KeyRing } from './key-ring.ts';

/** A published key set and how to answer with it. */
export interface JwksDocument {
  /** JSON of a JWK Set (RFC 7517 section 5). */
  readonly body: string;
  readonly contentType: 'application/jwk-set+json';
  /** How long readers may keep it; a shared key waits that long before it signs. */
  readonly cacheControl: string;
}

/** The public keys for verifiers outside, `next` ones included, so that they know a key before its first token. */
export function jwksDocument(ring: Pick<KeyRing, 'publicJwks'>, maxAgeS: number): JwksDocument {
  return {
    body: JSON.stringify({ keys: ring.publicJwks }),
    contentType: 'application/jwk-set+json',
    cacheControl: `public, max-age=${maxAgeS}`,
  };
}
