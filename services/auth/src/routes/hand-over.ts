import { WherryError, isWherryError } from '@wherry/core';
import { sessionIdText } from '@wherry/sessions';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import { accessTokenOf, advise } from '../access-tokens.ts';
import type { AuthContext } from '../context.ts';
import { handOverSchema } from '../http/schemas.ts';
import { authenticatedClient } from '../operator.ts';
import { carriedSession, requireEnabled, type TokenSubject } from '../subject.ts';

interface HandOverBody {
  readonly userId: string | number;
  readonly username?: string;
  readonly authorities: readonly string[];
  readonly sourceSessionId: string;
}

/**
 * POST /v1/logins: an existing application hands over a log-in, after it has saved its own session. Nothing new is
 * begun: the answer is an access token of that very session, so a repeat is harmless.
 */
export function handOverRoutes(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: HandOverBody }>('/v1/logins', { schema: handOverSchema }, async (request, reply) => {
    const client = authenticatedClient(context, request);
    if (client === undefined)
      throw new WherryError('client_unauthenticated', 'this needs a client that authenticates by client_secret_basic');
    requireEnabled(context, String(request.body.userId));
    const subject = await confirmed(context, request.body);
    const { issueJwts } = context.rollout.policyFor(subject.userId);
    const access = issueJwts ? await accessTokenOf(context, subject, client) : undefined;
    advise(context, reply, subject.userId);
    return {
      ...access,
      sessionId: sessionIdText(subject.key.id),
      userId: userIdClaim(subject.userId),
      authorities: subject.authorities,
    };
  });
}

/** The session as its primary side has it. The application is believed only where that side says the same. */
async function confirmed(context: AuthContext, { userId, authorities, sourceSessionId }: HandOverBody): Promise<TokenSubject> {
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
