import { WherryError } from '@wherry/core';
import type { RolloutPolicy } from '@wherry/rollout';
import type { TokenGrant, TokenLimits } from '@wherry/tokens';
import type { FastifyReply } from 'fastify';
import { ANONYMOUS_CLIENT, type RegisteredClient } from './clients.ts';
import type { AuthContext } from './context.ts';
import { usualAudience } from './oauth/token-terms.ts';
import { keepAlive, type TokenSubject } from './subject.ts';

/** Advises a client of the cohort that is led to fetch access tokens and to use them. */
export const ADVICE_HEADER = 'x-wherry-advice';

/** An access token as it is answered. */
export interface AccessToken {
  /** A secret: never log it. */
  readonly accessToken: string;
  /** `DPoP`: bound to the key of a proof (RFC 9449). */
  readonly tokenType: 'Bearer' | 'DPoP';
  /** Seconds from the reading of the session. */
  readonly expiresIn: number;
}

/** Refuses where the rollout gives out no access tokens. Errors: `access_tokens_off`. */
export function requireIssuance({ issueJwts }: RolloutPolicy): void {
  if (!issueJwts) throw new WherryError('access_tokens_off', 'access tokens are not given out now; the session goes on to hold');
}

/** Sets the advice header where the rollout leads the user of this client to access tokens. */
export function advise(context: AuthContext, reply: FastifyReply, userId: string, clientId: string): void {
  if (context.rollout.policyFor(userId, clientId).leadToJwt) reply.header(ADVICE_HEADER, 'access-token');
}

/** What is asked of an access token beside; by default all that the user may, for the service's own audience. */
export type AccessTokenTerms = Pick<TokenLimits, 'audience' | 'scope' | 'cnf' | 'jti'> &
  Pick<TokenGrant, 'familyId'> & { readonly authorities?: readonly string[] };

/**
 * The access token of a session: its `sid` is the row's id, `iat` the second in which it was read, and it does not
 * outlive the session. `client` undefined: the one that the session was begun with. Errors: `session_expired`,
 * `session_ended`, `session_unknown`, `signing_key_unavailable`.
 */
export async function accessTokenOf(
  context: AuthContext,
  subject: TokenSubject,
  client: RegisteredClient | undefined,
  terms: AccessTokenTerms = {},
): Promise<AccessToken> {
  return signed(context, subject, client, await keepAlive(context, subject), terms);
}

/** The same for a session that is to be stored next, and ends at `sessionExpiresAt` (epoch ms). */
export function signed(
  context: AuthContext,
  subject: Omit<TokenSubject, 'expireTime'>,
  client: RegisteredClient | undefined,
  sessionExpiresAt: number | null,
  terms: AccessTokenTerms = {},
): AccessToken {
  const issuedAt = Math.floor(subject.readAt / 1000);
  const { token, claims } = context.issuer.issue({
    authorities: subject.authorities,
    ...(client === undefined ? {} : { audience: usualAudience(context, client) }),
    ...(client?.tokenSeconds === undefined ? {} : { lifeS: client.tokenSeconds }),
    ...terms,
    userId: subject.userId,
    username: subject.username,
    clientId: client?.id ?? subject.clientId ?? ANONYMOUS_CLIENT,
    sessionId: subject.key.id,
    generation: subject.generation,
    issuedAt,
    authTime: Math.min(issuedAt, Math.floor(subject.createTime / 1000)),
    sessionExpiresAt,
  });
  return { accessToken: token, tokenType: claims.cnf === undefined ? 'Bearer' : 'DPoP', expiresIn: claims.exp - claims.iat };
}
