/**
 * Claims of an access token as this system issues it (RFC 9068 section 2.2), names as on the wire. Times are whole
 * seconds since the epoch (NumericDate).
 */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: string;
  /** The user's id, as text. */
  readonly sub: string;
  /** The same id: a number where its text is that of a safe integer, else the text. */
  readonly userId: number | string;
  /** Roles and permissions, as one set. */
  readonly authorities: readonly string[];
  readonly username?: string;
  readonly client_id: string;
  /** Id of the session's row, decimal text; absent where no session stands behind the token. */
  readonly sid?: string;
  /** The user's generation at log-in. */
  readonly gen: number;
  readonly jti: string;
  readonly iat: number;
  readonly nbf?: number;
  readonly exp: number;
  /** When the user last proved who he is. */
  readonly auth_time: number;
}

/** The signed-in user as one request sees him. */
export interface TokenPrincipal {
  readonly kind: 'jwt';
  readonly userId: string;
  readonly authorities: readonly string[];
  /** Id of the session's row, decimal text. */
  readonly sessionId?: string;
  readonly clientId: string;
  readonly username?: string;
}

/** The media type in `typ`, without its `application/` (RFC 9068 section 2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

/** Longest token in characters: half of what Node reads of all headers of a request. */
export const MAX_TOKEN_LENGTH = 8192;

/** The claim `userId` for an id: a number where number and text stand for each other without loss. */
export function userIdClaim(userId: string): number | string {
  const number = Number(userId);
  return Number.isSafeInteger(number) && String(number) === userId ? number : userId;
}

/** The user whom verified claims speak of. */
export function principalOf(claims: AccessTokenClaims): TokenPrincipal {
  return {
    kind: 'jwt',
    userId: claims.sub,
    authorities: claims.authorities,
    clientId: claims.client_id,
    ...(claims.sid === undefined ? {} : { sessionId: claims.sid }),
    ...(claims.username === undefined ? {} : { username: claims.username }),
  };
}
