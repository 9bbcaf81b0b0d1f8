import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import { advise } from '../access-tokens.ts';
import { credentialOf, principalOf } from '../caller.ts';
import type { AuthContext } from '../context.ts';
import { whoamiSchema } from '../http/schemas.ts';

/** GET /v1/whoami: who the bearer of any credential is. */
export function whoamiRoutes(app: FastifyInstance, context: AuthContext): void {
  app.get('/v1/whoami', { schema: whoamiSchema }, async (request, reply) => {
    const principal = await principalOf(context, credentialOf(context, request));
    if (principal.kind === 'session') advise(context, reply, principal.userId);
    return { ...principal, userId: userIdClaim(principal.userId) };
  });
}
