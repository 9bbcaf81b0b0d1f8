import { WherryError } from '@wherry/core';
import { sessionIdText } from '@wherry/sessions';
import type { AccessTokenClaims } from '@wherry/tokens';
import { accessTokenOf } from '../access-tokens.ts';
import { claimsOf } from '../caller.ts';
import { ANONYMOUS_CLIENT } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import type { TokenAnswer, TokenRequest } from '../oauth/token-grant.ts';
import { noteRefusal } from './renewal-figures.ts';
import { foundOf, generationOf, liveOrRefused, ownerOf, renewedOrRefused, unknownRenewal } from './refresh.ts';
import { bindingOf } from './refresh-token-text.ts';

/**
 * An access token that has run out, by itself, for its successor: for clients that can keep nothing else. Weaker than a refresh
 * token, since it has been to every service; so it is off where nothing else is said, bounded in number, and marked in the answer.
 *
 * The token is judged in everything but its end, which may be as long ago as twice its life; its `jti` is the credential of the
 * family, and the new one has the successor's. Scope and audience stay as they are. Errors: `bad_request` for one that holds,
 * every `token_*`; as of a refresh token.
 */
export async function renewExpired(context: AuthContext, { form, client, jkt }: TokenRequest): Promise<TokenAnswer> {
  const claims = claimsOf(context.expiredVerifier.verify(form.required('access_token'), 'inspected'));
  const { sid, jti, exp, cnf } = claims;
  if (cnf !== undefined && cnf.jkt !== jkt)
    throw new WherryError('token_bound', 'the access token is bound to a key; this needs a proof of that very key');
  if (exp * 1000 > context.now()) throw new WherryError('bad_request', 'the access token has not run out yet');
  if (sid === undefined) throw unknownRenewal();
  const session = await liveOrRefused(context, BigInt(sid));
  const boundTo = bindingOf(client, cnf?.jkt, '');
  const renewal = await context.families.renewBearer({
    jti,
    expiredAt: exp * 1000,
    minimumGeneration: generationOf(context, session),
    ...(client.id === ANONYMOUS_CLIENT ? {} : { clientId: client.id }),
    ...(boundTo === undefined ? {} : { boundTo }),
  });
  noteRefusal(context, renewal, session instanceof WherryError ? session : undefined);
  const { successor, family } = await renewedOrRefused(context, renewal, session);
  const { subject } = foundOf(session);
  if (family.sessionId !== subject.key.id || sessionIdText(family.sessionId) !== sid) throw unknownRenewal();
  const owner = ownerOf(context, family, 'expired-access-token');
  const access = await accessTokenOf(context, subject, owner, {
    ...termsOf(claims, subject.authorities),
    jti: successor,
    familyId: family.id,
  });
  context.rolloutSide.renewed(family.userId, family.clientId, 'ok');
  return {
    access_token: access.accessToken,
    token_type: access.tokenType,
    expires_in: access.expiresIn,
    ...(claims.scope === undefined ? {} : { scope: claims.scope }),
    renewal: 'bearer',
  };
}

/** What the token was for, and no more than the user may by now. */
function termsOf(
  { aud, scope, authorities, cnf }: AccessTokenClaims,
  held: readonly string[],
): Pick<Partial<AccessTokenClaims>, 'scope' | 'cnf'> & {
  readonly audience: AccessTokenClaims['aud'];
  readonly authorities: readonly string[];
} {
  const narrowed = new Set(authorities);
  return {
    audience: aud,
    authorities: scope === undefined ? held : held.filter((authority) => narrowed.has(authority)),
    ...(scope === undefined ? {} : { scope }),
    ...(cnf === undefined ? {} : { cnf }),
  };
}
