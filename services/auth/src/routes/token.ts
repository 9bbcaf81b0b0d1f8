import { WherryError, type ErrorCode } from '@wherry/core';
import { classifyCredential } from '@wherry/sessions';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accessTokenOf, advise, requireIssuance } from '../access-tokens.ts';
import type { AuthContext } from '../context.ts';
import { readForm, type FormParameters } from '../http/form.ts';
import { errorHead, faultOf } from '../http/problem.ts';
import { noteCode } from '../http/request-log.ts';
import { authenticatedClient } from '../operator.ts';
import { carriedSession, sessionOfToken, type TokenSubject } from '../subject.ts';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
/** What can be exchanged; RFC 8693 section 3 leaves such names to the parties. */
const SESSION = 'urn:wherry:token-type:session';
const LEGACY_COOKIE = 'urn:wherry:token-type:legacy-cookie';

/** POST /oauth/token: the session token or legacy cookie of a user who is signed in, for an access token (RFC 8693). */
export async function tokenRoutes(app: FastifyInstance, context: AuthContext): Promise<void> {
  await app.register(async (scope) => {
    // RFC 6749 section 3.2: the token endpoint takes forms, and nothing else.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    scope.setErrorHandler<FastifyError>((thrown, request, reply) => sendOAuthError(request, reply, thrown));
    scope.post('/oauth/token', async (request, reply) => {
      const parameters = readForm(typeof request.body === 'string' ? request.body : '');
      const clientId = clientOf(context, request, parameters);
      const subject = await subjectOf(context, parameters);
      requireIssuance(context, subject.userId);
      const { accessToken, expiresIn } = await accessTokenOf(context, subject, clientId);
      advise(context, reply, subject.userId);
      return {
        access_token: accessToken,
        issued_token_type: ACCESS_TOKEN,
        token_type: 'Bearer',
        expires_in: expiresIn,
      };
    });
  });
}

/** undefined: the client says nothing of itself. */
function clientOf(context: AuthContext, request: FastifyRequest, parameters: FormParameters): string | undefined {
  if (parameters.has('client_secret'))
    throw new WherryError('client_unauthenticated', 'client_secret is not accepted in the body; use client_secret_basic');
  const named = parameters.get('client_id');
  const proved = authenticatedClient(context, request);
  if (proved === undefined) return named === undefined ? undefined : context.clients.identify(named);
  if (named !== undefined && named !== proved.id)
    throw new WherryError('bad_request', 'client_id is not that of the client that authenticated');
  return proved.id;
}

async function subjectOf(context: AuthContext, parameters: FormParameters): Promise<TokenSubject> {
  const grantType = required(parameters, 'grant_type');
  if (grantType !== TOKEN_EXCHANGE) throw new WherryError('grant_type_unsupported', `grant_type is not ${TOKEN_EXCHANGE}`);
  const requested = parameters.get('requested_token_type');
  if (requested !== undefined && requested !== ACCESS_TOKEN)
    throw new WherryError('bad_request', `requested_token_type is not ${ACCESS_TOKEN}`);
  if (parameters.has('actor_token')) throw new WherryError('bad_request', 'actor_token is not supported');
  const type = required(parameters, 'subject_token_type');
  const token = required(parameters, 'subject_token');
  if (type === SESSION) return sessionOfToken(context, token);
  if (type === LEGACY_COOKIE) return carriedSession(context, legacyIdOf(context, token));
  throw new WherryError('bad_request', `subject_token_type is neither ${SESSION} nor ${LEGACY_COOKIE}`);
}

/** The id in a cookie's value, percent-encoded as it is in the header, or not. Errors: `session_cookie_invalid`, `session_unknown` where there is no such application. */
function legacyIdOf({ legacy }: AuthContext, value: string): string {
  const reading = legacy?.cookie.verify(/^s%3a/i.test(value) ? decoded(value) : value);
  if (reading?.outcome === 'verified') return reading.rawId;
  const jwt = classifyCredential(value) === 'jwt' ? '; it looks like an access token' : '';
  throw new WherryError(
    legacy === undefined ? 'session_unknown' : 'session_cookie_invalid',
    `the subject token is not a session cookie that is accepted here${jwt}`,
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function required(parameters: FormParameters, name: string): string {
  const value = parameters.get(name);
  if (value === undefined) throw new WherryError('bad_request', `${name} is missing`);
  return value;
}

/**
 * Errors as RFC 6749 section 5.2 has them. A subject token that does not count is `invalid_grant`, which says more than
 * the `invalid_request` of RFC 8693 section 2.2.2: the user has to sign in again. Our own code comes with it.
 */
function sendOAuthError(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = faultOf(thrown);
  noteCode(request, error);
  const status = error.status >= 500 || error.code === 'client_unauthenticated' || isAboutTheBody(error.code) ? error.status : 400;
  const body = { error: oauthErrorOf(error.code, status), error_description: asciiOnly(error.message), code: error.code };
  return errorHead(reply, error, status).send(body);
}

/** The errors of RFC 6749 section 5.2; whatever is not among these is `invalid_request`. */
const OAUTH_ERRORS: ReadonlyMap<ErrorCode, string> = new Map([
  ['client_unauthenticated', 'invalid_client'],
  ['grant_type_unsupported', 'unsupported_grant_type'],
  // In the phase in which no access tokens are given out there is no such grant.
  ['access_tokens_off', 'unsupported_grant_type'],
  ['session_unknown', 'invalid_grant'],
  ['session_token_malformed', 'invalid_grant'],
  ['session_cookie_invalid', 'invalid_grant'],
  ['session_ended', 'invalid_grant'],
  ['session_expired', 'invalid_grant'],
  ['session_anonymous', 'invalid_grant'],
  ['session_collision', 'invalid_grant'],
]);

function oauthErrorOf(code: ErrorCode, status: number): string {
  if (status === 503) return 'temporarily_unavailable';
  return status >= 500 ? 'server_error' : (OAUTH_ERRORS.get(code) ?? 'invalid_request');
}

function isAboutTheBody(code: ErrorCode): boolean {
  return code === 'body_too_large' || code === 'media_type_unsupported';
}

/** What RFC 6749 section 5.2 allows in a description. */
function asciiOnly(text: string): string {
  return text.replaceAll('"', "'").replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
