import type { Clock, ErrorCode } from '@wherry/core';
import { ProofMemory, verifyBoundToken, type Verification, type Verifier } from '@wherry/tokens';

/** The request that a proof has to be for. */
export interface ProvedRequest {
  readonly method?: string | undefined;
  /** Path and query. */
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
}

/** Options of {@link BoundTokens}. */
export interface BoundTokensOptions<D> {
  readonly verifier: Verifier<D>;
  /** Scheme, host and port by which clients address the gateway. Not read from requests: their sender would decide what he has proved. */
  readonly origin: string;
  readonly skewS: number;
  readonly clock: Clock;
}

/** Why a bound token is refused. */
export interface BoundRefused {
  readonly ok: false;
  readonly reason: ErrorCode;
}

/**
 * Judges access tokens that are bound to a key of their client (RFC 9449 section 7.1). Each proof counts once at this
 * gateway, and for one method and address alone.
 */
export class BoundTokens<D> {
  readonly #options: BoundTokensOptions<D>;
  readonly #memory = new ProofMemory();

  constructor(options: BoundTokensOptions<D>) {
    this.#options = options;
  }

  /** `request`: as its client sent it, also where another proxy asks about it. */
  verify(token: string, { method, url, rawHeaders }: ProvedRequest): Verification<D> | BoundRefused {
    const { verifier, origin, skewS, clock } = this.#options;
    const proofs = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'dpop');
    return verifyBoundToken(
      verifier,
      token,
      { proofs, method: method ?? '', url: origin + (url ?? '') },
      { memory: this.#memory, skewS, clock },
    );
  }
}
