import { WherryError } from '@wherry/core';
import type { AuthContext } from '../context.ts';
import type { TokenAnswer, TokenRequest } from './token-grant.ts';

/** A refresh token for its successor and an access token (RFC 6749 section 6). Errors: `grant_type_unsupported` where there are none. */
export async function refreshToken({ oauth }: AuthContext, request: TokenRequest): Promise<TokenAnswer> {
  if (oauth.renewal === undefined) throw new WherryError('grant_type_unsupported', 'no refresh tokens are given out here');
  return oauth.renewal.renew(request.form.required('refresh_token'), request);
}
