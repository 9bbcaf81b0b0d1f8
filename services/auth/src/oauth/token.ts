import { WherryError } from '@wherry/core';
import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { readForm } from '../http/form.ts';
import { renewExpired } from '../renewal/renew-expired.ts';
import { refresh } from '../renewal/refresh.ts';
import { clientOf } from './client-authentication.ts';
import { issueToService } from './client-credentials.ts';
import { provedKey } from './dpop.ts';
import { GRANT_TYPES, offeredGrantTypes, type GrantName } from './grant-types.ts';
import { tokenSchema } from './schemas.ts';
import { exchangeToken } from './token-exchange.ts';
import type { TokenGrantHandler } from './token-grant.ts';
import { REPEATABLE } from './token-terms.ts';

const HANDLERS: Readonly<Record<GrantName, TokenGrantHandler>> = {
  'token-exchange': exchangeToken,
  client_credentials: issueToService,
  refresh_token: refresh,
  'expired-access-token': renewExpired,
};

/** POST /oauth/token (RFC 6749 section 3.2). */
export function tokenRoute(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: string | undefined }>('/oauth/token', { schema: tokenSchema }, async (request, reply) => {
    const form = readForm(request.body ?? '', REPEATABLE);
    // Before all else: who does not prove who he is learns nothing of what there is.
    const client = await clientOf(context, request, form);
    const grant = GRANT_TYPES.get(form.required('grant_type'));
    const isOffered = grant !== 'expired-access-token' || context.renewal.maxBearerRenewals > 0;
    if (grant === undefined || !isOffered)
      throw new WherryError('grant_type_unsupported', `grant_type is none of ${offeredGrantTypes(context).join(', ')}`);
    if (!client.grants.has(grant)) throw new WherryError('client_grant_refused', `the client may not use the grant ${grant}`);
    const jkt = provedKey(context, request, reply);
    return context.rollout.issuing(() => HANDLERS[grant](context, { form, client, jkt, reply }));
  });
}
