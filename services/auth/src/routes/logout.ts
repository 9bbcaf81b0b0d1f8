import { WherryError, isWherryError } from '@wherry/core';
import { parseSessionToken, type EndOutcome } from '@wherry/sessions';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { credentialOf, judgedClaims, principalOf, sessionOfCookie, usedKind, type Credential } from '../caller.ts';
import type { AuthContext } from '../context.ts';
import { logoutEverywhereSchema, logoutSchema } from '../http/schemas.ts';
import { endLegacySession, endSessionById } from '../session-end.ts';
import { sessionOfToken } from '../subject.ts';

/** Says whether every live instance acts on a log-out; `false`: some will only when they hear of it, or lose their lease. */
export const PROPAGATED_HEADER = 'x-wherry-propagated';

/** POST /v1/logout ends the caller's session; POST /v1/logout-everywhere ends all that the user has. */
export function logoutRoutes(app: FastifyInstance, context: AuthContext): void {
  app.post('/v1/logout', { schema: logoutSchema }, async (request, reply) => {
    const credential = credentialOf(context, request);
    refuseForeignPage(request, credential);
    const outcome = await endSessionOf(context, request, credential);
    // Whatever the phase: who wants out is let out.
    if (credential.kind !== 'jwt') context.rolloutSide.usedSession(request, { clientId: undefined, kind: usedKind(credential) });
    return acknowledged(reply, outcome);
  });

  app.post('/v1/logout-everywhere', { schema: logoutEverywhereSchema }, async (request, reply) => {
    const credential = credentialOf(context, request);
    refuseForeignPage(request, credential);
    const { userId, clientId } = await principalOf(context, request, credential);
    if (credential.kind !== 'jwt') context.rolloutSide.usedSession(request, { clientId, kind: usedKind(credential) });
    return acknowledged(reply, await context.userEnds.end(userId, `user:${userId}`, 'log-out everywhere'));
  });
}

/**
 * Ends the session of a credential. Repeatable: whoever got no answer asks again and gets the same one, also when the
 * session has ended in the meantime. Errors: `session_unknown`, `rate_limited`; `control_unavailable`, `source_unavailable` and `shard_unavailable`, after
 * which a repeat goes on where this one stopped.
 */
export async function endSessionOf(context: AuthContext, request: FastifyRequest, credential: Credential): Promise<EndOutcome> {
  switch (credential.kind) {
    case 'jwt': {
      const { sid } = judgedClaims(context, context.endVerifier, credential);
      if (sid === undefined) throw new WherryError('bad_request', 'no session stands behind this access token');
      return endSessionById(context, BigInt(sid));
    }
    case 'session-token': {
      // The secret is proved, by the row or by an earlier log-out of it; what has only run out is ended all the same.
      await context.endpointLimits.lookUp(request, () => sessionOfToken(context, credential.token)).catch(unlessItIsThere);
      const id = parseSessionToken(credential.token)?.id;
      if (id === undefined) throw new WherryError('session_unknown', 'there is no such session');
      return endSessionById(context, id);
    }
    case 'legacy-cookie':
      // What the application has signed is ended whether it is there or not. One that anybody can make up has to name a session:
      // for each that is ended there is a record that every instance holds, and made-up ones would fill all of them.
      if (context.legacy?.cookie.signed === false) await sessionOfCookie(context, request, credential.rawId).catch(unlessItIsThere);
      return endLegacySession(context, credential.rawId);
  }
}

/** Passes over refusals of a session that there is, or was: it may be ended, again. */
function unlessItIsThere(error: unknown): void {
  if (!['session_ended', 'session_anonymous', 'session_undecodable'].some((code) => isWherryError(error) && error.code === code))
    throw error;
}

/** A cookie comes with every request to its site, whoever wrote the page; another site's page signs nobody out. */
function refuseForeignPage(request: FastifyRequest, credential: Credential): void {
  if (credential.kind === 'legacy-cookie' && request.headers['sec-fetch-site'] === 'cross-site')
    throw new WherryError('forbidden', 'a page of another site cannot sign the user out');
}

function acknowledged(reply: FastifyReply, { propagated }: EndOutcome): FastifyReply {
  return reply.code(204).header(PROPAGATED_HEADER, String(propagated)).send();
}
