/** How access tokens are renewed. */
export interface RenewalOptions {
  /** True: a replayed refresh token ends its session too, so that whoever has stolen it loses the access tokens as well; default false. */
  readonly reuseEndsSession?: boolean;
  /** How long a repeated refresh token is answered with the very same successor, milliseconds; default 30000, at most the window. */
  readonly graceMs?: number;
  /** Clients with the grant `expired-access-token` renew by the token alone, so many times; absent: nobody does. Weaker. */
  readonly bearerOnly?: { readonly maxRenewals: number };
  /** Most families that live of one session; default 16. */
  readonly maxPerSession?: number;
}
