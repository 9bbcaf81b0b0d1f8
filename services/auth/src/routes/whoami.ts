import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import { credentialOf, principalOf, usedKind } from '../caller.ts';
import type { AuthContext } from '../context.ts';
import { whoamiSchema } from '../http/schemas.ts';

/** GET /v1/whoami: who the bearer of any credential is. */
export function whoamiRoutes(app: FastifyInstance, context: AuthContext): void {
  app.get('/v1/whoami', { schema: whoamiSchema }, async (request, reply) => {
    const credential = credentialOf(context, request);
    const principal = await principalOf(context, request, credential);
    const { userId, clientId, sessionId } = principal;
    if (credential.kind === 'jwt') context.rolloutSide.usedToken(request, clientId);
    else context.rolloutSide.admit(request, reply, { userId, clientId, sessionId, kind: usedKind(credential) });
    return { ...principal, userId: userIdClaim(principal.userId) };
  });
}
