import { WherryError } from '@wherry/core';
import { serviceSubject } from '@wherry/tokens';
import type { AuthContext } from '../context.ts';
import { requireEnabled } from '../subject.ts';
import type { TokenAnswer, TokenRequest } from './token-grant.ts';
import { termsOf } from './token-terms.ts';

/**
 * A token for a service that acts in its own name (RFC 6749 section 4.4), with the authorities that it is configured
 * with. No user and no session stand behind it, so the rollout has no say. Errors: `client_unauthenticated`,
 * `target_invalid`, `scope_invalid`, `user_disabled`.
 */
export async function issueToService(context: AuthContext, { client, form, jkt }: TokenRequest): Promise<TokenAnswer> {
  if (!client.confidential) throw new WherryError('client_unauthenticated', 'this grant needs a client that authenticates');
  // An operator ends a service's tokens, or keeps it out, as he does with a user.
  const subject = serviceSubject(client.id);
  requireEnabled(context, subject);
  const terms = termsOf(context, client, form, { authorities: client.authorities });
  const { token, claims } = context.issuer.issueToService({
    ...terms,
    clientId: client.id,
    generation: context.runtime.ended.minimumGeneration(subject),
    issuedAt: Math.floor(context.now() / 1000),
    ...(client.tokenSeconds === undefined ? {} : { lifeS: client.tokenSeconds }),
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
  });
  return {
    access_token: token,
    token_type: jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: claims.exp - claims.iat,
    ...(terms.scope === undefined ? {} : { scope: terms.scope }),
  };
}
