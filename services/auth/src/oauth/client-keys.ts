import { importVerificationKey, jwkThumbprint, type SigningAlgorithm, type VerificationKey } from '@wherry/tokens';

/** A public key of a client as it is configured (RFC 7517 section 4). */
export type ClientJwk = Readonly<Record<string, unknown>>;

const MAX_KEYS = 10;

/**
 * The keys of a client's JWK set. `kid` and `alg` may be left out where they follow from the key itself. Throws
 * `signing_key_invalid` for a key that cannot be used, a private one, or one that comes twice.
 */
export function readClientKeys(jwks: readonly ClientJwk[]): readonly VerificationKey[] {
  // Each may be tried for an assertion that names none.
  if (jwks.length === 0 || jwks.length > MAX_KEYS) throw new Error(`a client has 1 to ${MAX_KEYS} keys`);
  const keys = jwks.map((jwk) =>
    importVerificationKey({ ...jwk, kid: jwk['kid'] ?? jwkThumbprint(jwk), alg: jwk['alg'] ?? algorithmOf(jwk) }),
  );
  if (new Set(keys.map(({ kid }) => kid)).size !== keys.length) throw new Error('two keys have one kid');
  return keys;
}

/** The one algorithm that we use with keys of this type; undefined: none. */
function algorithmOf({ kty, crv }: ClientJwk): SigningAlgorithm | undefined {
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA';
  return kty === 'RSA' ? 'RS256' : undefined;
}
