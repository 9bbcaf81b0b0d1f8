import type { KeyObject } from 'node:crypto';

/** Algorithms that sign and verify (RFC 7518 section 3.1, RFC 8037 section 3.1). Nothing else is ever looked at. */
export type SigningAlgorithm = 'ES256' | 'RS256' | 'EdDSA';

/** All of {@link SigningAlgorithm}; the first is the default. */
export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = ['ES256', 'RS256', 'EdDSA'];

/** True for one of {@link SIGNING_ALGORITHMS}. */
export function isSigningAlgorithm(alg: unknown): alg is SigningAlgorithm {
  return (SIGNING_ALGORITHMS as readonly unknown[]).includes(alg);
}

/** A public key, checked, with the one algorithm that it is used for. */
export interface VerificationKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicKey: KeyObject;
  /** Bytes of a signature under this key. */
  readonly signatureBytes: number;
}

/** A private key that may sign now. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly privateKey: KeyObject;
  /** No token signed by it may live longer, in seconds: the key is kept just that long. */
  readonly longestLifeS: number;
}

/** The public keys as this process knows them. Synchronous and in memory: a token never causes a network call. */
export interface KeySource {
  /** The key under this id, as long as tokens signed by it may live. The same object until it is replaced. */
  find(kid: string): VerificationKey | undefined;
  /** Rises with every change of the set. */
  readonly version: number;
  /** How many keys there are. None at all proves nothing: the first key ever signs before anyone was asked. */
  readonly size: number;
  /** Milliseconds since the last moment of which it is proved that no key was missing. */
  readonly staleMs: number;
}

/** Where the issuer takes its key from. */
export interface SigningKeySource {
  /** The key that signs now. Throws `signing_key_unavailable`. */
  signingKey(): SigningKey;
  /** Told of each token that was signed by the key. Absent: nobody counts. */
  issued?(kid: string): void;
}

/** How long an issuer signs on without news of its keys, milliseconds: retired keys are kept for that time too. */
export const DEFAULT_SIGN_STALE_MS = 60_000;
