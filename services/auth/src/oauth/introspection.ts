import { WherryError, isWherryError } from '@wherry/core';
import { classifyCredential, sessionIdText } from '@wherry/sessions';
import { isServiceSubject, userIdClaim, type ActorClaim, type ConfirmationClaim } from '@wherry/tokens';
import { confirm } from '../caller.ts';
import { ANONYMOUS_CLIENT, type RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import { inspectRenewal } from '../renewal/inspect-renewal.ts';
import { isRefreshToken } from '../renewal/refresh-token-text.ts';
import { sessionOfToken } from '../subject.ts';

/** What is known of a token (RFC 7662 section 2.2). Of one that does not count, nothing but that. */
export type Introspection = { readonly active: false } | ActiveToken;

/** A token that counts at this moment. Times in seconds since the epoch. */
export interface ActiveToken {
  readonly active: true;
  readonly token_type: 'Bearer' | 'DPoP' | 'refresh_token';
  readonly iss: string;
  readonly aud: string | readonly string[];
  readonly sub: string;
  readonly userId: number | string;
  readonly authorities: readonly string[];
  readonly username?: string;
  readonly client_id: string;
  readonly scope?: string;
  /** Id of the session's row, decimal text. */
  readonly sid?: string;
  /** Of access tokens alone. */
  readonly jti?: string;
  readonly iat: number;
  /** Absent: a session that ends only by a log-out. */
  readonly exp?: number;
  readonly auth_time: number;
  readonly act?: ActorClaim;
  readonly cnf?: ConfirmationClaim;
}

const INACTIVE: Introspection = { active: false };

/**
 * Judges an access token, a session token or a refresh token for a client. What was issued for audiences that the client has nothing to
 * do with is not active to it (RFC 7662 section 4), unless it is its own. Errors: `revocations_stale` and other 503
 * where nobody can say: not knowing is not "inactive", which would sign people out.
 */
export async function introspect(context: AuthContext, client: RegisteredClient, token: string): Promise<Introspection> {
  const kind = classifyCredential(token);
  try {
    if (isRefreshToken(token)) return (await inspectRenewal(context, client, token)) ?? INACTIVE;
    if (kind === 'unknown') return INACTIVE;
    const found = kind === 'jwt' ? await accessToken(context, token) : await session(context, token);
    return concerns(context, client, found) ? found : INACTIVE;
  } catch (error) {
    if (isWherryError(error) && (error.status === 401 || error.code === 'user_disabled')) return INACTIVE;
    throw error;
  }
}

async function accessToken(context: AuthContext, token: string): Promise<ActiveToken> {
  const verification = context.oauth.verifier.verify(token, 'inspected');
  if (!verification.ok) throw new WherryError(verification.reason, 'the access token is not accepted');
  const { claims } = verification;
  await confirm(context, claims);
  const { iss, aud, sub, userId, authorities, username, client_id, scope, sid, jti, iat, exp, auth_time, act, cnf } = claims;
  return {
    active: true,
    token_type: cnf === undefined ? 'Bearer' : 'DPoP',
    iss,
    aud,
    sub,
    userId,
    authorities,
    client_id,
    jti,
    iat,
    exp,
    auth_time,
    ...(username === undefined ? {} : { username }),
    ...(scope === undefined ? {} : { scope }),
    ...(sid === undefined ? {} : { sid }),
    ...(act === undefined ? {} : { act }),
    ...(cnf === undefined ? {} : { cnf }),
  };
}

async function session(context: AuthContext, token: string): Promise<ActiveToken> {
  const { oauth } = context;
  const { key, userId, username, authorities, clientId, createTime, expireTime } = await sessionOfToken(context, token);
  // Whoever goes by `sub` would take a user with such an id for the service; access tokens are not issued to him either.
  if (isServiceSubject(userId)) throw new WherryError('session_unknown', 'the user id has the form of a service');
  if (!context.rollout.policyFor(userId, clientId).acceptSessions)
    throw new WherryError('credential_kind_refused', 'session tokens are not accepted any more');
  const begun = Math.floor(createTime / 1000);
  return {
    active: true,
    token_type: 'Bearer',
    iss: oauth.issuer,
    aud: oauth.audience,
    sub: userId,
    userId: userIdClaim(userId),
    authorities,
    ...(username === null ? {} : { username }),
    client_id: clientId ?? ANONYMOUS_CLIENT,
    sid: sessionIdText(key.id),
    iat: begun,
    auth_time: begun,
    ...(expireTime === null ? {} : { exp: Math.floor(expireTime / 1000) }),
  };
}

function concerns({ oauth }: AuthContext, client: RegisteredClient, { aud, client_id }: ActiveToken): boolean {
  if (client_id === client.id) return true;
  const own = client.audiences ?? new Set([oauth.audience]);
  return (typeof aud === 'string' ? [aud] : aud).some((audience) => own.has(audience));
}
