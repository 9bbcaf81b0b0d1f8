import { refused, type Refused } from '../refusal.ts';
import type { Verified, Verifier } from '../verifier.ts';
import { verifyDpopProof, type DpopOptions, type DpopRefused, type DpopRequest } from './proof.ts';

/**
 * Judges an access token that came with the scheme `DPoP` (RFC 9449 section 7.1): the token first, then the proof for it
 * and its key, so that a proof for nothing leaves nothing behind. A token that is bound to no key is refused.
 */
export function verifyBoundToken<D>(
  verifier: Verifier<D>,
  token: string,
  request: Omit<DpopRequest, 'accessToken'>,
  options: DpopOptions,
): Verified<D> | Refused | DpopRefused {
  const verification = verifier.verify(token, 'inspected');
  if (!verification.ok) return verification;
  const jkt = verification.claims.cnf?.jkt;
  if (jkt === undefined) return refused('token_bound');
  const proof = verifyDpopProof({ ...request, accessToken: { token, jkt } }, options);
  return proof.ok ? verification : proof;
}
