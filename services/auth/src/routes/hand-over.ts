import { WherryError, isWherryError } from '@wherry/core';
import { newFamilyId } from '@wherry/renewal';
import { sessionIdText } from '@wherry/sessions';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import { accessTokenOf, advise, type AccessToken } from '../access-tokens.ts';
import type { RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import { handOverSchema } from '../http/schemas.ts';
import { beginSession, renewalMembers, type RenewalMembers } from '../new-session.ts';
import { authenticatedClient } from '../operator.ts';
import { requireLease } from '../renewal/begin-renewal.ts';
import { carriedSession, disabledError, requireEnabled, type TokenSubject } from '../subject.ts';

interface HandOverBody {
  readonly userId: string | number;
  readonly username?: string;
  readonly authorities: readonly string[];
  /** Absent: the application has no session of its own, and one is begun here. */
  readonly sourceSessionId?: string;
  /** True: a renewal credential is wanted. */
  readonly renewable?: boolean;
}

/** What a log-in that was handed over came to. */
interface HandedOver extends Partial<AccessToken>, RenewalMembers {
  /** Id of the session's row, decimal text. */
  readonly sessionId: string;
  readonly authorities: readonly string[];
  readonly sessionToken?: string;
  /** Epoch ms. */
  readonly sessionExpiresAt?: number;
}

/**
 * POST /v1/logins: an existing application hands over a log-in.
 *
 * With the id of its own session, after it has saved that: nothing new is begun but a family of renewals where one is asked
 * for; the answer is an access token of that very session, so a repeat is harmless. Without, where the application is trusted to say who
 * signed in: a session is begun here, as by a log-in; a repeat begins another one, and the first runs out.
 */
export function handOverRoutes(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: HandOverBody }>('/v1/logins', { schema: handOverSchema }, async (request, reply) => {
    const client = authenticatedClient(context, request);
    if (client === undefined)
      throw new WherryError('client_unauthenticated', 'this needs a client that authenticates by client_secret_basic');
    const { sourceSessionId, ...body } = request.body;
    const userId = String(body.userId);
    requireEnabled(context, userId);
    const handedOver = await (sourceSessionId === undefined
      ? begun(context, client, body)
      : context.rollout.issuing(() => carried(context, client, { ...body, sourceSessionId })));
    context.rolloutSide.signedIn(userId, client.id);
    advise(context, reply, userId, client.id);
    return { ...handedOver, userId: userIdClaim(userId) };
  });
}

/** Errors: `login_unconfirmed`, `lease_lost`, `credential_kind_refused`. */
async function carried(
  context: AuthContext,
  client: RegisteredClient,
  body: HandOverBody & { readonly sourceSessionId: string },
): Promise<HandedOver> {
  const subject = await confirmed(context, body);
  const policy = context.rollout.policyFor(subject.userId, client.id);
  if (!policy.acceptSessions)
    throw new WherryError('credential_kind_refused', 'sessions of applications are not accepted any more; hand over without one');
  if (body.renewable === true) requireLease(policy);
  const wanted = body.renewable === true && policy.issueRenewals && client.grants.has('refresh_token');
  const familyId = wanted ? newFamilyId() : undefined;
  const terms = familyId === undefined ? {} : { familyId };
  const access = policy.issueJwts ? await accessTokenOf(context, subject, client, terms) : undefined;
  return {
    ...access,
    ...(wanted ? await renewalMembers(context, { subject, clientId: client.id, familyId }) : {}),
    sessionId: sessionIdText(subject.key.id),
    authorities: subject.authorities,
  };
}

/** Errors: `forbidden` for a client that is not trusted with that. */
async function begun(
  context: AuthContext,
  client: RegisteredClient,
  { userId: id, username, authorities, renewable }: HandOverBody,
): Promise<HandedOver> {
  if (!client.assertsUsers)
    throw new WherryError('forbidden', 'this client is not trusted to say who its users are: sourceSessionId is missing');
  const userId = String(id);
  const generation = context.runtime.ended.minimumGeneration(userId);
  // Asked of what was read: a session of this generation would outlive everything.
  if (generation === Number.POSITIVE_INFINITY) throw disabledError();
  const names = [...new Set(authorities)];
  const session = await beginSession(context, { userId, username: username ?? null, authorities: names, generation }, client, {
    renewable,
  });
  return {
    ...session.access,
    ...session.renewal,
    ...(session.sessionToken === undefined ? {} : { sessionToken: session.sessionToken }),
    sessionId: sessionIdText(session.key.id),
    sessionExpiresAt: session.sessionExpiresAt,
    authorities: names,
  };
}

/** The session as its primary side has it. The application is believed only where that side says the same. */
async function confirmed(
  context: AuthContext,
  { userId, authorities, sourceSessionId }: HandOverBody & { readonly sourceSessionId: string },
): Promise<TokenSubject> {
  let subject: TokenSubject;
  try {
    subject = await carriedSession(context, sourceSessionId);
  } catch (cause) {
    if (isWherryError(cause) && cause.status === 401)
      throw new WherryError('login_unconfirmed', `the session cannot be handed over: ${cause.message}`, { cause });
    throw cause;
  }
  if (subject.userId !== String(userId)) throw new WherryError('login_unconfirmed', 'the session belongs to another user');
  if (!sameSet(subject.authorities, authorities)) throw new WherryError('login_unconfirmed', 'the session has other authorities');
  return subject;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  return left.size === right.size && [...left].every((authority) => right.has(authority));
}
