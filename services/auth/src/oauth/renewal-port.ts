import type { TokenAnswer, TokenRequest } from './token-grant.ts';

/** Where refresh tokens come from and go to; without one the grant is not offered. */
export interface RenewalPort {
  /**
   * Redeems a refresh token for its successor and an access token of the same session (RFC 6749 section 6). A repeat
   * within the grace gets the same successor. `request.client` is the one that asks: a token that is not its own is
   * refused like one that does not exist; where it is not confidential it has proved nothing, and who has the token, as
   * a gateway that renews for a browser, may use it. `request.jkt` is the key that was proved. `scope` in the request
   * narrows the access token alone. Errors: codes that begin with `session_`, `token_`, `user_` or `renewal_` are answered
   * as `invalid_grant`; 503 where nobody can say.
   */
  renew(refreshToken: string, request: TokenRequest): Promise<TokenAnswer>;
  /** Ends the family of a refresh token (RFC 7009); false: it is none of ours. A repeat is harmless. */
  end(refreshToken: string, request: Pick<TokenRequest, 'client'>): Promise<boolean>;
  /** True for what has the form of a refresh token. */
  isRefreshToken(text: string): boolean;
}
