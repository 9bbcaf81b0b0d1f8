import { randomUUID } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { ACCESS_TOKEN_TYPE, MAX_TOKEN_LENGTH, userIdClaim, type AccessTokenClaims } from './access-token.ts';
import type { SigningKeySource } from './key-source.ts';
import { readClaims } from './read-claims.ts';
import { createSignature } from './signature.ts';

/** Options of {@link createIssuer}. */
export interface IssuerOptions {
  readonly keys: SigningKeySource;
  readonly issuer: string;
  readonly audience: string;
  /** Life of a token in seconds, before any cap. */
  readonly lifeS: number;
}

/** Whom a token is issued to, as read in one atomic step. */
export interface TokenGrant {
  readonly userId: string;
  readonly authorities: readonly string[];
  readonly username?: string | null;
  readonly clientId: string;
  /** Id of the session's row. */
  readonly sessionId?: bigint;
  /** The user's generation that is stamped on the session. */
  readonly generation: number;
  /** Second in which the session was read: `iat`. A revocation after that moment reaches the token. */
  readonly issuedAt: number;
  /** Second in which the user last proved who he is. */
  readonly authTime: number;
  /** The session's absolute expiry in epoch milliseconds, null for none: no token lives longer. */
  readonly sessionExpiresAt: number | null;
}

/** A token and what it says. */
export interface IssuedToken {
  /** A secret: never log it. */
  readonly token: string;
  readonly claims: AccessTokenClaims;
}

/** Issues access tokens. */
export interface Issuer {
  /**
   * Signs a token for `grant`; what is issued verifies. Throws `session_expired`, `signing_key_unavailable`, and
   * `grant_invalid` for values that no verifier would take: such a user stays with his session token.
   */
  issue(grant: TokenGrant): IssuedToken;
}

/** Makes the issuer of one audience (RFC 9068). */
export function createIssuer(options: IssuerOptions): Issuer {
  return { issue: (grant) => issue(options, grant) };
}

function issue({ keys, issuer, audience, lifeS }: IssuerOptions, grant: TokenGrant): IssuedToken {
  const { kid, alg, privateKey, longestLifeS } = keys.signingKey();
  const sessionEndS = grant.sessionExpiresAt === null ? Number.POSITIVE_INFINITY : Math.floor(grant.sessionExpiresAt / 1000);
  const exp = Math.min(grant.issuedAt + Math.min(lifeS, longestLifeS), sessionEndS);
  if (exp <= grant.issuedAt) throw new WherryError('session_expired', 'the session is at its end; no token can be issued for it');
  const claims: AccessTokenClaims = {
    iss: issuer,
    aud: audience,
    sub: grant.userId,
    userId: userIdClaim(grant.userId),
    authorities: [...grant.authorities],
    ...(typeof grant.username === 'string' && grant.username !== '' ? { username: grant.username } : {}),
    client_id: grant.clientId,
    ...(grant.sessionId === undefined ? {} : { sid: grant.sessionId.toString() }),
    gen: grant.generation,
    jti: randomUUID(),
    iat: grant.issuedAt,
    exp,
    auth_time: grant.authTime,
  };
  const payload = Buffer.from(JSON.stringify(claims), 'utf8');
  if (readClaims(payload) === undefined) throw unissuable('a value is empty, too long or not well-formed text');
  const header = Buffer.from(JSON.stringify({ typ: ACCESS_TOKEN_TYPE, alg, kid }), 'utf8');
  const input = `${header.toString('base64url')}.${payload.toString('base64url')}`;
  const signature = createSignature(alg, privateKey, Buffer.from(input, 'latin1'));
  const token = `${input}.${signature.toString('base64url')}`;
  if (token.length > MAX_TOKEN_LENGTH)
    throw unissuable(
      `with ${claims.authorities.length} authorities the token has ${token.length} characters; ${MAX_TOKEN_LENGTH} are allowed`,
    );
  return { token, claims };
}

function unissuable(why: string): WherryError {
  return new WherryError('grant_invalid', `no access token can be issued: ${why}`);
}
