import type { FastifyReply } from 'fastify';
import type { RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import type { FormParameters } from '../http/form.ts';

/** One request to the token endpoint, its client known. */
export interface TokenRequest {
  readonly form: FormParameters;
  readonly client: RegisteredClient;
  /** Thumbprint of the key that a DPoP proof came from; undefined: none came. */
  readonly jkt: string | undefined;
  readonly reply: FastifyReply;
}

/** A successful answer (RFC 6749 section 5.1, RFC 8693 section 2.2.1). */
export interface TokenAnswer {
  /** A secret: never log it. */
  readonly access_token: string;
  /** `DPoP`: the token is bound to the key of the proof (RFC 9449 section 5). */
  readonly token_type: 'Bearer' | 'DPoP';
  /** Seconds from now. */
  readonly expires_in: number;
  readonly issued_token_type?: string;
  /** Where it was asked for. */
  readonly scope?: string;
  /** A secret: never log it. */
  readonly refresh_token?: string;
  /** Seconds from now, in which the refresh token has to be used. */
  readonly refresh_token_expires_in?: number;
  /** `bearer`: the access token is renewed by nothing but itself, which is weaker than by a refresh token. */
  readonly renewal?: 'bearer';
  /** While the rollout goes back, of a renewal: for the client that has dropped the one it had. A secret. */
  readonly session_token?: string;
}

/** Answers a request for one grant type. */
export type TokenGrantHandler = (context: AuthContext, request: TokenRequest) => Promise<TokenAnswer>;

/** The type of an access token (RFC 8693 section 3). */
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';
