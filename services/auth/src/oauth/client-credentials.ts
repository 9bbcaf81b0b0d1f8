import { WherryError } from '@wherry/core';
import type { AuthContext } from '../context.ts';
import type { TokenAnswer, TokenRequest } from './token-grant.ts';
import { termsOf } from './token-terms.ts';

/**
 * A token for a service that acts in its own name (RFC 6749 section 4.4), with the authorities that it is configured
 * with. No user and no session stand behind it, so the rollout has no say. Errors: `client_unauthenticated`,
 * `target_invalid`, `scope_invalid`.
 */
export async function issueToService(context: AuthContext, { client, form, jkt }: TokenRequest): Promise<TokenAnswer> {
  if (!client.confidential) throw new WherryError('client_unauthenticated', 'this grant needs a client that authenticates');
  const terms = termsOf(context, client, form, { authorities: client.authorities });
  const { token, claims } = context.issuer.issueToService({
    ...terms,
    clientId: client.id,
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
