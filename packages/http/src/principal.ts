/** The signed-in user as one request sees him. */
export interface Principal {
  /** The user's id as text; equals the claim `sub` (RFC 7519 section 4.1.2). */
  readonly userId: string;
  /** Roles and permissions, as one set. */
  readonly authorities: readonly string[];
  /** By which kind of credential the user was recognised. */
  readonly kind: 'jwt' | 'session';
  /** Id of the session's row, decimal text; never the session's secret. */
  readonly sessionId?: string;
  /** The application that the user signed in with. */
  readonly clientId?: string;
  readonly username?: string;
}
