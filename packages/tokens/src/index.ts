import type { SchemaPart } from '@wherry/core/control';

export {
  isServiceSubject,
  principalOf,
  serviceSubject,
  userIdClaim,
  type AccessTokenClaims,
  type ActorClaim,
  type ConfirmationClaim,
  type TokenPrincipal,
} from './access-token.ts';
export { parseObject, readCompactJws, verifyCompactSignature, type CompactJws } from './compact-jws.ts';
export { verifyBoundToken } from './dpop/bound-token.ts';
export { DpopNonces, type DpopNoncesOptions } from './dpop/nonces.ts';
export { ProofMemory, type ProofMemoryOptions } from './dpop/proof-memory.ts';
export {
  verifyDpopProof,
  type DpopOptions,
  type DpopProof,
  type DpopRefusalReason,
  type DpopRefused,
  type DpopRequest,
} from './dpop/proof.ts';
export {
  createIssuer,
  type IssuedToken,
  type Issuer,
  type IssuerOptions,
  type ServiceGrant,
  type TokenGrant,
  type TokenLimits,
} from './issuer.ts';
export { readImportedKey, type ImportOptions, type ImportedKey } from './imported-key.ts';
export { importVerificationKey, jwkThumbprint } from './jwk.ts';
export { jwksDocument, type JwksDocument } from './jwks.ts';
export { KeyKeeper, type KeyKeeperOptions } from './key-keeper.ts';
export { KeyRing, type KeyRingOptions } from './key-ring.ts';
export { KEY_TOPIC, listKeys, type KeyInfo } from './key-rows.ts';
export {
  DEFAULT_SIGN_STALE_MS,
  SIGNING_ALGORITHMS,
  type KeySource,
  type SigningAlgorithm,
  type SigningKey,
  type SigningKeySource,
  type VerificationKey,
} from './key-source.ts';
export { KeyStore, type KeyChange, type KeyCommand, type KeyStoreOptions } from './key-store.ts';
export type { KeyState } from './key-transitions.ts';
export { RENEWAL_LIVES, checkTokenLives, type TokenLives } from './life.ts';
export { newKey, type NewKey, type PublicJwk } from './new-key.ts';
export { readUnproved } from './read-claims.ts';
export type { RefusalReason, Refused } from './refusal.ts';
export { createSignature } from './signature.ts';
export {
  createVerifier,
  type Presentation,
  type Verification,
  type Verified,
  type Verifier,
  type VerifierOptions,
  type VerifierStats,
} from './verifier.ts';

/** The tables of this package in the control database. */
export const tokensSchema: SchemaPart = { part: 'tokens', folder: new URL('../sql/control/', import.meta.url) };
