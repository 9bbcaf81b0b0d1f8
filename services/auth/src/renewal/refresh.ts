import { WherryError, isWherryError } from '@wherry/core';
import type { CredentialRenewal, Family, Renewal } from '@wherry/renewal';
import type { SessionRecord } from '@wherry/sessions';
import { accessTokenOf } from '../access-tokens.ts';
import { ANONYMOUS_CLIENT, type RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import type { GrantName } from '../oauth/grant-types.ts';
import type { TokenAnswer, TokenRequest } from '../oauth/token-grant.ts';
import { termsOf, type TokenTerms } from '../oauth/token-terms.ts';
import type { TokenSubject } from '../subject.ts';
import { secondsLeft } from './begin-renewal.ts';
import { bindingOf, isOfClient, readRefreshToken, refreshTokenText, type RefreshToken } from './refresh-token-text.ts';
import { noteRefusal } from './renewal-figures.ts';
import { tellOfReuse } from './reuse.ts';
import { mintSibling } from './sibling-session.ts';
import { sessionById, type FoundSession } from './session-by-id.ts';

/** Least generation that no family has: a session that is gone lets nothing be renewed. */
const NO_GENERATION = Number.POSITIVE_INFINITY;

/**
 * A refresh token for its successor and an access token of the same session (RFC 6749 section 6). The session is read from
 * its primary side first, then the family takes its step, then the token is signed for what was read: whatever ends the
 * session, the user or the family from the reading on reaches the new token too. A crash or a lost answer in between costs
 * nothing: the same refresh token is answered with the same successor.
 *
 * Errors: `renewal_unknown`, `renewal_ended`, `renewal_expired`, `renewal_reused`, `token_generation_old`, `session_*`,
 * `user_disabled`, `scope_invalid`, `target_invalid`, `client_grant_refused`; `shard_unavailable`, `slot_not_owned`,
 * `source_unavailable`, `signing_key_unavailable`.
 */
export async function refresh(context: AuthContext, request: TokenRequest): Promise<TokenAnswer> {
  const token = readRefreshToken(request.form.required('refresh_token'));
  if (token === undefined) throw unknownRenewal();
  const session = await liveOrRefused(context, token.selector.sessionId);
  const minimumGeneration = generationOf(context, session);
  const presented = presenting(request, token, minimumGeneration);
  await checkTerms(context, request, token, session, presented);
  // Before the family takes its step: a step after which nothing can be signed is a reply lost for as long as that lasts, and a
  // credential whose successor nobody was given for longer than the window counts as stolen.
  context.keys.signingKey();
  const renewal = await renewPresented(context, presented);
  noteRefusal(context, renewal, session instanceof WherryError ? session : undefined);
  const renewed = await renewedOrRefused(context, renewal, session);
  const { userId, clientId } = renewed.family;
  try {
    const answer = await answered(context, request, token, renewed, foundOf(session));
    context.rolloutSide.renewed(userId, clientId, 'ok');
    return answer;
  } catch (error) {
    if (!isWherryError(error) || error.status >= 500) context.rolloutSide.renewed(userId, clientId, 'failed');
    throw error;
  }
}

type Renewed = Extract<Renewal, { readonly outcome: 'renewed' }>;

async function answered(
  context: AuthContext,
  request: TokenRequest,
  token: RefreshToken,
  { successor, family }: Renewed,
  { subject, record }: FoundSession,
): Promise<TokenAnswer> {
  const owner = ownerOf(context, family);
  const terms = renewedTerms(context, owner, request, token, subject);
  const { jkt } = request;
  const access = await accessTokenOf(context, subject, owner, {
    ...terms,
    familyId: family.id,
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
  });
  const sessionToken = mayMint(context, family, token, record) ? await mintSibling(context, record) : undefined;
  return {
    access_token: access.accessToken,
    token_type: access.tokenType,
    expires_in: access.expiresIn,
    ...(terms.scope === undefined ? {} : { scope: terms.scope }),
    refresh_token: refreshTokenText(successor, token.termsText),
    refresh_token_expires_in: secondsLeft(context, Math.min(family.idleExpiry, family.absoluteExpiry ?? Infinity)),
    ...(sessionToken === undefined ? {} : { session_token: sessionToken }),
  };
}

/**
 * While the rollout goes back, and only for what could have had a session token: one is good for all that the user may, by
 * whoever has it, which is more than a narrowed family or one that is bound to a key is to be.
 */
function mayMint(
  { rollout }: AuthContext,
  { userId, clientId, boundTo }: Family,
  { termsText }: RefreshToken,
  record: SessionRecord,
): boolean {
  if (!rollout.policyFor(userId, clientId).renewalMintsSession || record.sourceRef !== null) return false;
  return termsText === '' && (boundTo === null || isOfClient(boundTo));
}

/**
 * What presents a refresh token, in one way or in two: who has named no client shows nothing but the token, as a gateway that renews
 * for a browser. A family of nobody takes whoever has the token; where it has terms, its binding is that of the terms alone,
 * also for a client that has begun to send proofs, or got a secret, since.
 */
export function presenting(
  { client, jkt }: Pick<TokenRequest, 'client' | 'jkt'>,
  { credential, termsText }: RefreshToken,
  minimumGeneration: number,
): readonly CredentialRenewal[] {
  const bindings = new Set([bindingOf(client, jkt, termsText), bindingOf(undefined, undefined, termsText)]);
  return [...bindings].map((boundTo) => ({
    credential,
    minimumGeneration,
    ...(client.id === ANONYMOUS_CLIENT ? {} : { clientId: client.id }),
    ...(boundTo === undefined ? {} : { boundTo }),
  }));
}

/** The family that would be renewed for what is presented. */
export async function inspectPresented(
  { families }: Pick<AuthContext, 'families'>,
  ways: readonly CredentialRenewal[],
): Promise<Family | undefined> {
  for (const way of ways) {
    const family = await families.inspect(way);
    if (family !== undefined) return family;
  }
  return undefined;
}

/** What is unknown one way has changed nothing, so it may be asked the other way. */
async function renewPresented({ families }: AuthContext, ways: readonly CredentialRenewal[]): Promise<Renewal> {
  let renewal: Renewal = { outcome: 'unknown' };
  for (const way of ways) {
    renewal = await families.renew(way);
    if (renewal.outcome !== 'unknown') break;
  }
  return renewal;
}

/** A session that is there, or the refusal of one that is not; nobody is told which before he has proved the family. */
type Session = FoundSession | WherryError;

/** Reads the session of an id. Errors: 503 of every kind. */
export async function liveOrRefused(context: AuthContext, id: bigint): Promise<Session> {
  try {
    return await sessionById(context, id);
  } catch (error) {
    if (isWherryError(error) && (error.status === 401 || error.code === 'user_disabled')) return error;
    throw error;
  }
}

export function generationOf({ runtime }: AuthContext, session: Session): number {
  return session instanceof WherryError ? NO_GENERATION : runtime.ended.minimumGeneration(session.subject.userId);
}

export function foundOf(session: Session): FoundSession {
  if (session instanceof WherryError) throw session;
  return session;
}

/** Scope and audience are judged before the family takes its step: a client that asks wrongly keeps what it has. */
async function checkTerms(
  context: AuthContext,
  request: TokenRequest,
  token: RefreshToken,
  session: Session,
  presented: readonly CredentialRenewal[],
): Promise<void> {
  const { form } = request;
  if (session instanceof WherryError || !['scope', 'audience', 'resource'].some((name) => form.has(name))) return;
  const family = await inspectPresented(context, presented);
  if (family !== undefined) renewedTerms(context, ownerOf(context, family), request, token, session.subject);
}

function renewedTerms(
  context: AuthContext,
  owner: RegisteredClient,
  { form }: TokenRequest,
  { terms: { scope, audience } }: RefreshToken,
  { authorities }: TokenSubject,
): TokenTerms {
  const names = scope === undefined ? undefined : new Set(scope.split(' '));
  return termsOf(context, owner, form, {
    authorities: names === undefined ? authorities : authorities.filter((authority) => names.has(authority)),
    scope,
    offline: true,
    ...(audience === undefined ? {} : { audiences: audience }),
  });
}

/** The client that the family was begun for. Errors: `client_grant_refused` where there is none any more, or it may not renew any more. */
export function ownerOf({ clients }: AuthContext, { clientId }: Family, grant: GrantName = 'refresh_token'): RegisteredClient {
  const owner = clientId === ANONYMOUS_CLIENT ? clients.named(undefined) : clients.find(clientId);
  if (owner?.grants.has(grant) !== true)
    throw new WherryError('client_grant_refused', 'the client of the refresh token may not renew any more');
  return owner;
}

export async function renewedOrRefused(context: AuthContext, renewal: Renewal, session: Session): Promise<Renewed> {
  switch (renewal.outcome) {
    case 'renewed': {
      const { family } = renewal;
      if (foundOf(session).subject.userId === family.userId) return renewal;
      // The application has let another user sign in to the same session.
      await context.families.endOfSession(family.sessionId);
      throw new WherryError('session_ended', 'the session is of another user now');
    }
    case 'unknown':
      throw unknownRenewal();
    case 'expired':
    case 'capped':
      throw new WherryError('renewal_expired', 'the refresh token has not been used for too long, or its time is over');
    case 'reused':
      await tellOfReuse(context, renewal.family, renewal.first);
      throw new WherryError('renewal_reused', 'the refresh token was used before: whoever has its successors loses them too');
    case 'generation_old':
      throw userEnded(context, renewal.family, session);
    case 'ended':
      switch (renewal.reason) {
        case 'session_ended':
          throw new WherryError('session_ended', 'the session was ended');
        case 'user_ended':
          throw userEnded(context, renewal.family, session);
        case 'revoked':
        case 'replaced':
          throw new WherryError('renewal_ended', 'the refresh token was revoked, or gave way to newer ones of its session');
      }
  }
}

/** Why a user's families have ended, as far as it is known by now. */
function userEnded({ runtime }: AuthContext, { userId }: Family, session: Session): WherryError {
  if (runtime.ended.isUserDisabled(userId)) return new WherryError('user_disabled', 'the user is disabled');
  if (session instanceof WherryError) return session;
  return new WherryError('token_generation_old', 'all that the user had was ended');
}

/** The refusal of what is of no family, or of another client's or key's. */
export function unknownRenewal(): WherryError {
  return new WherryError('renewal_unknown', 'the refresh token is not one that is known, or not one of this client');
}
