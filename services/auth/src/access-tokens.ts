import { WherryError } from '@wherry/core';
import type { FastifyReply } from 'fastify';
import { ANONYMOUS_CLIENT } from './clients.ts';
import type { AuthContext } from './context.ts';
import { keepAlive, type TokenSubject } from './subject.ts';

/** Advises a client of the cohort that is led to fetch access tokens and to use them. */
export const ADVICE_HEADER = 'x-wherry-advice';

/** An access token as it is answered. */
export interface AccessToken {
  /** A secret: never log it. */
  readonly accessToken: string;
  readonly tokenType: 'Bearer';
  /** Seconds from the reading of the session. */
  readonly expiresIn: number;
}

/** Refuses where the rollout gives out no access tokens. Errors: `access_tokens_off`. */
export function requireIssuance(context: AuthContext, userId: string): void {
  if (!context.rollout.policyFor(userId).issueJwts)
    throw new WherryError('access_tokens_off', 'access tokens are not given out now; the session goes on to hold');
}

/** Sets the advice header where the rollout leads the user to access tokens. */
export function advise(context: AuthContext, reply: FastifyReply, userId: string): void {
  if (context.rollout.policyFor(userId).leadToJwt) reply.header(ADVICE_HEADER, 'access-token');
}

/**
 * The access token of a session: its `sid` is the row's id, `iat` the second in which it was read, and it does not
 * outlive the session. Errors: `session_expired`, `session_ended`, `session_unknown`, `signing_key_unavailable`.
 */
export async function accessTokenOf(context: AuthContext, subject: TokenSubject, clientId: string | undefined): Promise<AccessToken> {
  return signed(context, subject, clientId, await keepAlive(context, subject));
}

/** The same for a session that is to be stored next, and ends at `sessionExpiresAt` (epoch ms). */
export function signed(
  context: AuthContext,
  subject: Omit<TokenSubject, 'expireTime'>,
  clientId: string | undefined,
  sessionExpiresAt: number | null,
): AccessToken {
  const issuedAt = Math.floor(subject.readAt / 1000);
  const { token, claims } = context.issuer.issue({
    userId: subject.userId,
    authorities: subject.authorities,
    username: subject.username,
    clientId: clientId ?? subject.clientId ?? ANONYMOUS_CLIENT,
    sessionId: subject.key.id,
    generation: subject.generation,
    issuedAt,
    authTime: Math.min(issuedAt, Math.floor(subject.createTime / 1000)),
    sessionExpiresAt,
  });
  return { accessToken: token, tokenType: 'Bearer', expiresIn: claims.exp - claims.iat };
}
