import { WherryError } from '@wherry/core';
import { audit, controlError } from '@wherry/core/control';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { authoritiesSchema, revokeSchema } from '../http/schemas.ts';
import { requireOperator } from '../operator.ts';

interface UserParameters {
  readonly id: string;
}

interface AuthoritiesBody {
  readonly authorities: readonly string[];
  readonly reason: string;
}

const REGISTERED_ID = /^[1-9]\d{0,18}$/;
const MAX_ID = 0x7fff_ffff_ffff_ffffn;

/** What operators do to users. */
export function adminRoutes(app: FastifyInstance, context: AuthContext): void {
  /** Ends all that a user has, registered here or carried over. */
  app.route<{ Params: UserParameters; Body: { readonly reason: string } }>({
    method: 'POST',
    url: '/v1/admin/users/:id/revoke',
    schema: revokeSchema,
    handler: async (request) => {
      const actor = requireOperator(context, request);
      const { id } = request.params;
      const { generation, propagated } = await context.userEnds.end(id, actor, request.body.reason);
      return { userId: userIdClaim(id), generation, propagated };
    },
  });

  /** Gives a registered user other authorities, and ends what he holds with the old ones. */
  app.route<{ Params: UserParameters; Body: AuthoritiesBody }>({
    method: 'POST',
    url: '/v1/admin/users/:id/authorities',
    schema: authoritiesSchema,
    handler: async (request) => {
      const actor = requireOperator(context, request);
      const { id } = request.params;
      const authorities = [...new Set(request.body.authorities)];
      const { users, now } = context.registration;
      const known = REGISTERED_ID.test(id) && BigInt(id) <= MAX_ID && (await users.setAuthorities(BigInt(id), authorities, now()));
      if (!known) throw new WherryError('not_found', 'no registered user has this id');
      const { reason } = request.body;
      await audit(context.runtime.control, {
        actor,
        action: 'user.authorities_changed',
        reason,
        details: { userId: id, authorities },
      }).catch((error: unknown) => {
        throw controlError(error);
      });
      // After the row: a log-in that still saw the old authorities is of the old generation. A repeat completes a crash in between.
      const { generation, propagated } = await context.userEnds.end(id, actor, reason);
      return { userId: userIdClaim(id), authorities, generation, propagated };
    },
  });
}
