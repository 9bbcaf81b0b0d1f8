import { ERROR_CODES, type ErrorCode } from '@wherry/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorHead, faultOf } from '../http/problem.ts';
import { noteCode } from '../http/request-log.ts';

/** The errors of RFC 6749 section 5.2, RFC 8693 section 2.2.2 and RFC 8707 section 2; whatever is not among these is `invalid_request`. */
const OAUTH_ERRORS: ReadonlyMap<ErrorCode, string> = new Map([
  ['client_unauthenticated', 'invalid_client'],
  ['client_grant_refused', 'unauthorized_client'],
  ['grant_type_unsupported', 'unsupported_grant_type'],
  // In the phase in which no access tokens are given out there is no such grant.
  ['access_tokens_off', 'unsupported_grant_type'],
  ['credential_kind_refused', 'invalid_grant'],
  ['target_invalid', 'invalid_target'],
  ['scope_invalid', 'invalid_scope'],
  ['dpop_nonce_required', 'use_dpop_nonce'],
]);

/** Every refusal of a session, a user or a token that was brought, and of its renewal. */
const ABOUT_THE_GRANT = /^(session|token|user|renewal)_/;

/** About the body, the route or the number of requests, not about what was asked. */
const KEPT = new Set([405, 413, 415, 429]);

/**
 * Errors as RFC 6749 section 5.2 has them. A subject token that does not count is `invalid_grant`, which says more than
 * the `invalid_request` of RFC 8693 section 2.2.2: the user has to sign in again. Our own code comes with it.
 */
export function sendOAuthError(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = faultOf(thrown);
  noteCode(request, error);
  const body = { error: oauthErrorOf(error.code), error_description: asciiOnly(error.message), code: error.code };
  return errorHead(reply, error, oauthStatusOf(error.code)).send(body);
}

/** The value of `error` that a code is answered with. */
export function oauthErrorOf(code: ErrorCode): string {
  const status = oauthStatusOf(code);
  if (status === 503) return 'temporarily_unavailable';
  if (status >= 500) return 'server_error';
  const known = OAUTH_ERRORS.get(code);
  if (known !== undefined) return known;
  // RFC 9449 section 5.
  if (code.startsWith('dpop_')) return 'invalid_dpop_proof';
  return ABOUT_THE_GRANT.test(code) ? 'invalid_grant' : 'invalid_request';
}

/** The status that a code is answered with: its own where that says something, else 400 (RFC 6749 section 5.2). */
export function oauthStatusOf(code: ErrorCode): number {
  const { status } = ERROR_CODES[code];
  return status >= 500 || KEPT.has(status) || code === 'client_unauthenticated' ? status : 400;
}

/** What RFC 6749 section 5.2 allows in a description. */
function asciiOnly(text: string): string {
  return text.replaceAll('"', "'").replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
