/**
 * Claims of an access token as this system issues it (RFC 9068 section 2.2), names as on the wire. Times are whole
 * seconds since the epoch (NumericDate).
 */
export interface AccessTokenClaims {
  readonly iss: string;
  /** For whom: one text, or a list of at most {@link MAX_AUDIENCES}, each once. */
  readonly aud: string | readonly string[];
  /** The user's id, as text; of a service, {@link serviceSubject} of its client id. */
  readonly sub: string;
  /** The same id: a number where its text is that of a safe integer, else the text. */
  readonly userId: number | string;
  /** Roles and permissions, as one set. */
  readonly authorities: readonly string[];
  readonly username?: string;
  readonly client_id: string;
  /** Id of the session's row, decimal text; absent where no session stands behind the token. */
  readonly sid?: string;
  /** Id of the family of refresh tokens that the token came with, decimal text; absent where it came with none. What ends the family ends it. */
  readonly fam?: string;
  /** The user's generation at log-in. */
  readonly gen: number;
  readonly jti: string;
  readonly iat: number;
  readonly nbf?: number;
  readonly exp: number;
  /** When the user last proved who he is. */
  readonly auth_time: number;
  /** What the token may be used for, where it was asked for (RFC 9068 section 2.2.3): names with one space between. */
  readonly scope?: string;
  /** Who acts for the user (RFC 8693 section 4.1). */
  readonly act?: ActorClaim;
  /** The key that whoever presents the token has to hold (RFC 7800, RFC 9449 section 6.1). */
  readonly cnf?: ConfirmationClaim;
}

/** One who acts for another; `act` in it: for whom he acts in turn, the latest outermost (RFC 8693 section 4.1). */
export interface ActorClaim {
  readonly sub: string;
  readonly client_id?: string;
  readonly act?: ActorClaim;
}

/** `jkt`: the SHA-256 thumbprint of the key's public part (RFC 7638), 43 characters of base64url. */
export interface ConfirmationClaim {
  readonly jkt: string;
}

/** The signed-in user, or the service, as one request sees him. */
export interface TokenPrincipal {
  readonly kind: 'jwt';
  /** Present: no user stands behind the token, a service acts in its own name (RFC 6749 section 4.4). */
  readonly service?: true;
  /** The claim `sub`. */
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

/** Most audiences of one token. */
export const MAX_AUDIENCES = 8;

/** Most actors within each other. */
export const MAX_ACTORS = 4;

/**
 * Begins the subject of every service and of no user. User ids come from systems that know nothing of our clients, so a
 * user may be called just as a client is; whoever looks at `sub` alone, as a back end does, must not take one for the
 * other (RFC 9068 section 5).
 */
const SERVICE_PREFIX = 'client:';

/** The subject of the service that this client is. */
export function serviceSubject(clientId: string): string {
  return SERVICE_PREFIX + clientId;
}

/** True for a subject that only a service can have: no user's token is issued or accepted with it. */
export function isServiceSubject(subject: string): boolean {
  return subject.startsWith(SERVICE_PREFIX);
}

/** The claim `userId` for an id: a number where number and text stand for each other without loss. */
export function userIdClaim(userId: string): number | string {
  const number = Number(userId);
  return Number.isSafeInteger(number) && String(number) === userId ? number : userId;
}

/** The user or service whom verified claims speak of. */
export function principalOf(claims: AccessTokenClaims): TokenPrincipal {
  return {
    kind: 'jwt',
    userId: claims.sub,
    authorities: claims.authorities,
    clientId: claims.client_id,
    ...(isServiceSubject(claims.sub) ? { service: true } : {}),
    ...(claims.sid === undefined ? {} : { sessionId: claims.sid }),
    ...(claims.username === undefined ? {} : { username: claims.username }),
  };
}
