import { WherryError } from '@wherry/core';
import { newFamilyId } from '@wherry/renewal';
import { classifyCredential, sessionIdText } from '@wherry/sessions';
import { isServiceSubject, type AccessTokenClaims, type ActorClaim } from '@wherry/tokens';
import { accessTokenOf, requireIssuance } from '../access-tokens.ts';
import { claimsOf, confirm, rawIdOf } from '../caller.ts';
import { ANONYMOUS_CLIENT, type RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import { beginBearerRenewal, beginRenewal, renewsByItself, requireLease } from '../renewal/begin-renewal.ts';
import { bindingOf, termsText, type RenewalTerms } from '../renewal/refresh-token-text.ts';
import { carriedSession, sessionOfToken, type TokenSubject } from '../subject.ts';
import { ACCESS_TOKEN_TYPE, type TokenAnswer, type TokenRequest } from './token-grant.ts';
import { OFFLINE_ACCESS, termsOf, type TokenTerms } from './token-terms.ts';

/** What can be exchanged; RFC 8693 section 3 leaves such names to the parties. */
const SESSION_TYPE = 'urn:wherry:token-type:session';
const LEGACY_COOKIE_TYPE = 'urn:wherry:token-type:legacy-cookie';

/**
 * An access token for what proves that a user is signed in (RFC 8693): his session token or legacy cookie, or an access
 * token, of which the new one can do at most as much and lives at most as long. With the scope `offline_access` a session
 * gives a refresh token too. Errors: `bad_request`, `target_invalid`,
 * `scope_invalid`, `client_grant_refused`, `access_tokens_off`, `credential_kind_refused`, `lease_lost`, every code of a session and of a token.
 */
export async function exchangeToken(context: AuthContext, request: TokenRequest): Promise<TokenAnswer> {
  const { form } = request;
  const requested = form.get('requested_token_type');
  if (requested !== undefined && requested !== ACCESS_TOKEN_TYPE)
    throw new WherryError('bad_request', `requested_token_type is not ${ACCESS_TOKEN_TYPE}`);
  // Who acts is the client that has authenticated; nothing else is believed of it.
  if (form.has('actor_token') || form.has('actor_token_type')) throw new WherryError('bad_request', 'actor_token is not supported');
  const type = form.required('subject_token_type');
  const token = form.required('subject_token');
  if (type === SESSION_TYPE) return ofSession(context, request, await sessionOfToken(context, token), 'session_token');
  if (type === LEGACY_COOKIE_TYPE) return ofSession(context, request, await carriedSession(context, legacyIdOf(context, token)), 'cookie');
  if (type === ACCESS_TOKEN_TYPE) return ofAccessToken(context, request, token);
  throw new WherryError('bad_request', `subject_token_type is none of ${SESSION_TYPE}, ${LEGACY_COOKIE_TYPE} and ${ACCESS_TOKEN_TYPE}`);
}

async function ofSession(
  context: AuthContext,
  request: TokenRequest,
  subject: TokenSubject,
  kind: 'session_token' | 'cookie',
): Promise<TokenAnswer> {
  const { form, client, jkt, reply } = request;
  // Of a client that says nothing of itself the session knows the name, perhaps.
  const asked = client.id === ANONYMOUS_CLIENT ? undefined : client;
  const clientId = asked?.id ?? subject.clientId ?? ANONYMOUS_CLIENT;
  const { userId } = subject;
  const sessionId = sessionIdText(subject.key.id);
  context.rolloutSide.admit(reply.request, reply, { userId, clientId: asked?.id ?? subject.clientId, sessionId, kind });
  const policy = context.rollout.policyFor(userId, clientId);
  requireIssuance(policy);
  const terms = termsOf(context, client, form, { authorities: subject.authorities, offline: client.grants.has('refresh_token') });
  if (terms.offline === true) requireLease(policy);
  const bearer =
    terms.offline !== true && renewsByItself(context, client, policy)
      ? await beginBearerRenewal(context, { subject, clientId, boundTo: bindingOf(asked, jkt, '') })
      : undefined;
  const familyId = terms.offline === true && policy.issueRenewals ? newFamilyId() : undefined;
  const access = await accessTokenOf(context, subject, asked, {
    ...terms,
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
    ...(familyId === undefined ? bearer : { familyId }),
  });
  const answered = answer(access.accessToken, access.tokenType, access.expiresIn, terms);
  if (familyId === undefined) return bearer === undefined ? answered : { ...answered, renewal: 'bearer' };
  const ofTerms: RenewalTerms = {
    ...(form.has('audience') || form.has('resource') ? { audience: terms.audience } : {}),
    ...(terms.scope === undefined ? {} : { scope: terms.scope }),
  };
  const boundTo = bindingOf(asked, jkt, termsText(ofTerms));
  const renewal = await beginRenewal(context, { subject, clientId, familyId, boundTo, terms: ofTerms });
  return {
    ...answered,
    scope: [...(terms.scope === undefined ? [] : [terms.scope]), OFFLINE_ACCESS].join(' '),
    refresh_token: renewal.credential,
    refresh_token_expires_in: renewal.expiresIn,
  };
}

/**
 * The new token has the `iat`, `gen`, `sid` and `fam` of its subject, so that whatever ends the subject's session, user,
 * family or issuer ends it too, also when that is on its way here this very moment; and it expires no later.
 */
async function ofAccessToken(context: AuthContext, { form, client, jkt }: TokenRequest, token: string): Promise<TokenAnswer> {
  const { issuer, now, oauth } = context;
  const claims = claimsOf(oauth.verifier.verify(token, 'inspected'));
  // Else a stolen token that is bound could be made a free one.
  if (claims.cnf !== undefined && claims.cnf.jkt !== jkt)
    throw new WherryError('token_bound', 'the subject token is bound to a key; this needs a proof of that very key');
  await confirm(context, claims);
  const actor = actorOf(context, client, claims);
  const audiences = typeof claims.aud === 'string' ? [claims.aud] : claims.aud;
  const terms = termsOf(context, client, form, {
    authorities: claims.authorities,
    scope: claims.scope,
    ...(audiences.includes(oauth.audience) ? {} : { audiences }),
  });
  const nowS = Math.floor(now() / 1000);
  // It may hold for the skew of clocks yet; nothing is made from it any more.
  if (claims.exp <= nowS) throw new WherryError('token_expired', 'the subject token has expired');
  const limits = {
    ...terms,
    clientId: client.confidential ? client.id : claims.client_id,
    issuedAt: claims.iat,
    notAfter: Math.min(claims.exp, nowS + (client.tokenSeconds ?? Infinity)),
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
  };
  if (isServiceSubject(claims.sub)) {
    const issued = issuer.issueToService({ ...limits, generation: claims.gen });
    return answer(issued.token, jkt === undefined ? 'Bearer' : 'DPoP', issued.claims.exp - nowS, terms);
  }
  requireIssuance(context.rollout.policyFor(claims.sub, claims.client_id));
  const issued = issuer.issue({
    ...limits,
    userId: claims.sub,
    ...(claims.username === undefined ? {} : { username: claims.username }),
    ...(claims.sid === undefined ? {} : { sessionId: BigInt(claims.sid) }),
    ...(claims.fam === undefined ? {} : { familyId: BigInt(claims.fam) }),
    generation: claims.gen,
    authTime: claims.auth_time,
    sessionExpiresAt: null,
    ...(actor === undefined ? {} : { act: actor }),
  });
  return answer(issued.token, jkt === undefined ? 'Bearer' : 'DPoP', issued.claims.exp - nowS, terms);
}

/**
 * Who acts for the user, the latest outermost (RFC 8693 section 4.1): a client that has authenticated and brings a
 * token of another one. A client that proves nothing may narrow its own token, and those of clients that have nothing to prove.
 * Errors: `client_grant_refused`.
 */
function actorOf({ clients }: AuthContext, client: RegisteredClient, claims: AccessTokenClaims): ActorClaim | undefined {
  const { act, client_id: owner, sub } = claims;
  if (client.id === owner || (!client.confidential && clients.find(owner)?.confidential !== true)) return act;
  if (!client.confidential) throw new WherryError('client_grant_refused', 'the client of the subject token has to authenticate');
  if (isServiceSubject(sub)) throw new WherryError('client_grant_refused', 'nobody acts for a service but itself');
  return { sub: client.id, ...(act === undefined ? {} : { act }) };
}

function answer(token: string, type: TokenAnswer['token_type'], expiresIn: number, { scope }: TokenTerms): TokenAnswer {
  return {
    access_token: token,
    issued_token_type: ACCESS_TOKEN_TYPE,
    token_type: type,
    expires_in: expiresIn,
    ...(scope === undefined ? {} : { scope }),
  };
}

/** The id in a cookie's value, percent-encoded as it is in the header, or not. Errors: `session_cookie_invalid`, `session_unknown` where there is no such application. */
function legacyIdOf(context: AuthContext, value: string): string {
  const { legacy } = context;
  const reading = legacy?.cookie.verify(/^s%3a/i.test(value) ? decoded(value) : value);
  if (reading?.outcome === 'verified') return rawIdOf(context, reading);
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
