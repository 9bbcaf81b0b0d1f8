import { WherryError } from '@wherry/core';
import { DpopNonces, ProofMemory, verifyDpopProof, type DpopOptions, type DpopRequest } from '@wherry/tokens';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AuthContext } from '../context.ts';

/**
 * How proofs are judged. What was used is remembered by this process alone: at the token endpoint a stolen proof gets
 * whoever shows it a token that is bound to the key of its owner, and elsewhere it is good for one route and one token.
 */
export type Proofs = DpopOptions;

/** The thumbprint of the key that a request proves (RFC 9449 section 5); undefined: it brings no proof. Errors: `dpop_*`, `bad_request` where nobody has said what this service's address is. */
export function provedKey(context: AuthContext, request: FastifyRequest, reply: FastifyReply): string | undefined {
  const asked = proofOf(context, request);
  if (asked.proofs.length === 0) return undefined;
  offerNonce(context, reply);
  const proof = verifyDpopProof(asked, context.oauth.proofs);
  if (!proof.ok) throw new WherryError(proof.reason, 'the proof of possession in the header DPoP is not accepted');
  return proof.jkt;
}

/** The proof that a request brings, and what it has to be for. Errors: `bad_request`. */
export function proofOf({ oauth }: AuthContext, request: FastifyRequest): DpopRequest {
  const { rawHeaders } = request.raw;
  const proofs = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'dpop');
  if (proofs.length > 0 && oauth.publicUrl === undefined)
    throw new WherryError('bad_request', 'proofs of possession are not taken here: the address of this service is not configured');
  const [path = ''] = request.url.split('?', 1);
  return { proofs, method: request.method, url: `${oauth.publicUrl ?? ''}${path}` };
}

/** Tells the nonce of the next proof, where proofs need one (RFC 9449 section 8.2). */
export function offerNonce({ oauth }: AuthContext, reply: FastifyReply): void {
  if (oauth.proofs.nonces !== undefined) reply.header('dpop-nonce', oauth.proofs.nonces.current);
}

/** How proofs are judged by one process. `nonces`: each needs a fresh one of ours. */
export function createProofs(options: {
  readonly masterKey: Uint8Array;
  readonly nonces: boolean;
  readonly skewS: number;
  readonly clock: NonNullable<DpopOptions['clock']>;
}): Proofs {
  const { masterKey, nonces, skewS, clock } = options;
  return { memory: new ProofMemory(), skewS, clock, ...(nonces ? { nonces: new DpopNonces({ masterKey, clock }) } : {}) };
}
