import { WherryError } from '@wherry/core';
import { authorizationOf, type Principal } from '@wherry/http';
import { classifyCredential, sessionIdText, type CookieReading } from '@wherry/sessions';
import { slotOf } from '@wherry/shards';
import {
  verifyBoundToken,
  type AccessTokenClaims,
  type DpopRefused,
  type DpopRequest,
  type Verification,
  type Verifier,
} from '@wherry/tokens';
import type { FastifyRequest } from 'fastify';
import type { AuthContext } from './context.ts';
import { proofOf } from './oauth/dpop.ts';
import { sessionOfLegacyId, sessionOfToken, type Subject } from './subject.ts';

/** What a request proves who is calling by. `token` and `rawId` are secrets. */
export type Credential =
  /** `proof`: of possession, where the token came with the scheme DPoP. */
  | { readonly kind: 'jwt'; readonly token: string; readonly proof?: DpopRequest }
  | { readonly kind: 'session-token'; readonly token: string }
  | { readonly kind: 'legacy-cookie'; readonly rawId: string };

/** What a session credential is called in reports. */
export function usedKind({ kind }: Exclude<Credential, { readonly kind: 'jwt' }>): 'session_token' | 'cookie' {
  return kind === 'session-token' ? 'session_token' : 'cookie';
}

/** How stale the revocations may be before the session's row is asked as well, milliseconds. */
const FRESH_MS = 5000;

/**
 * The one credential that counts: a bearer decides, whatever cookies come with it. Errors: `unauthenticated` where there
 * is none, `credential_unknown` for a bearer of no known form, `session_cookie_invalid`, `bad_request` for more than one Authorization header or a token in the query.
 */
export function credentialOf(context: AuthContext, request: FastifyRequest): Credential {
  const { legacy } = context;
  const authorization = authorizationOf(request.raw);
  switch (authorization.kind) {
    case 'bearer': {
      const { token } = authorization;
      const kind = classifyCredential(token);
      if (kind === 'unknown')
        throw new WherryError('credential_unknown', 'the bearer credential is neither an access token nor a session token');
      return { kind, token };
    }
    case 'other':
      // RFC 9449 section 7.1. A session token is bound to nothing.
      if (authorization.scheme === 'dpop') {
        const { credentials: token } = authorization;
        if (classifyCredential(token) === 'jwt') return { kind: 'jwt', token, proof: proofOf(context, request) };
      }
      throw new WherryError('unauthenticated', 'only credentials of scheme Bearer, and access tokens of scheme DPoP, are accepted here');
    case 'none': {
      const reading = legacy?.cookie.read(request.headers.cookie);
      if (reading === undefined || reading.outcome === 'absent') throw new WherryError('unauthenticated', 'this needs a signed-in user');
      return { kind: 'legacy-cookie', rawId: rawIdOf(context, reading) };
    }
  }
}

/** An id that anybody may have made up goes to a store, so it is short and has nothing in it that any id has no need of; gateways take no other either. */
const UNSIGNED_ID = /^[!-~]{1,256}$/;

/** The id that a cookie names. Errors: `session_cookie_invalid`. */
export function rawIdOf({ legacy }: AuthContext, reading: CookieReading): string {
  if (reading.outcome === 'verified' && (legacy?.cookie.signed === true || UNSIGNED_ID.test(reading.rawId))) return reading.rawId;
  throw new WherryError('session_cookie_invalid', 'the session cookie is not one that is accepted here');
}

/** Who is calling. Errors: as {@link credentialOf}, every `token_*` and `session_*` code, `rate_limited`, `shard_unavailable`, `source_unavailable`. */
export async function principalOf(context: AuthContext, request: FastifyRequest, credential: Credential): Promise<Principal> {
  switch (credential.kind) {
    case 'jwt': {
      const claims = judgedClaims(context, context.verifier, credential);
      await confirm(context, claims);
      return {
        userId: claims.sub,
        authorities: claims.authorities,
        kind: 'jwt',
        clientId: claims.client_id,
        ...(claims.sid === undefined ? {} : { sessionId: claims.sid }),
        ...(claims.username === undefined ? {} : { username: claims.username }),
      };
    }
    case 'session-token':
      return sessionPrincipal(await context.endpointLimits.lookUp(request, () => sessionOfToken(context, credential.token)));
    case 'legacy-cookie':
      return sessionPrincipal(await sessionOfCookie(context, request, credential.rawId));
  }
}

/** The session that a cookie names, within the budget of its address where anybody can make such a cookie up. Errors: as {@link principalOf}. */
export async function sessionOfCookie(context: AuthContext, request: FastifyRequest, rawId: string): Promise<Subject> {
  const look = (): Promise<Subject> => sessionOfLegacyId(context, rawId);
  return context.legacy?.cookie.signed === false ? context.endpointLimits.lookUp(request, look) : look();
}

/** The claims of the token that a request brings, by itself or with its proof. Errors: `token_*`, `dpop_*`. */
export function judgedClaims(
  { oauth }: AuthContext,
  verifier: Verifier,
  { token, proof }: Extract<Credential, { readonly kind: 'jwt' }>,
): AccessTokenClaims {
  return claimsOf(proof === undefined ? verifier.verify(token) : verifyBoundToken(verifier, token, proof, oauth.proofs));
}

/** The claims of a token that holds; the refusal, thrown, of one that does not. */
export function claimsOf(verification: Verification | DpopRefused): AccessTokenClaims {
  if (verification.ok) return verification.claims;
  throw new WherryError(verification.reason, 'the access token is not accepted');
}

/** When this instance has not heard of log-outs for a while, the session's row decides. Errors: `control_unavailable` where there is none. */
export async function confirm({ runtime }: AuthContext, { sid, gen, sub, authorities }: AccessTokenClaims): Promise<void> {
  if (runtime.ended.staleMs <= FRESH_MS) return;
  if (sid === undefined) throw new WherryError('control_unavailable', 'whether the token was revoked is not known at this moment');
  const read = await runtime.target.getById(slotOf(BigInt(sid)), BigInt(sid));
  if (read.state === 'absent') throw new WherryError('control_unavailable', 'whether the session was ended is not known at this moment');
  if (read.state === 'ended') throw new WherryError('token_session_ended', 'the session of the access token was ended');
  const { record } = read;
  if (record.userGeneration > gen) throw new WherryError('token_generation_old', 'the access token is of an older generation');
  if (record.userId !== sub || authorities.some((authority) => !record.authorities.includes(authority)))
    throw new WherryError('token_session_changed', 'the session of the access token has another user or other authorities by now');
}

function sessionPrincipal({ key, userId, username, authorities, clientId }: Subject): Principal {
  return {
    userId,
    authorities,
    kind: 'session',
    sessionId: sessionIdText(key.id),
    ...(clientId === undefined ? {} : { clientId }),
    ...(username === null ? {} : { username }),
  };
}
