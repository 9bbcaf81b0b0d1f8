import { WherryError } from '@wherry/core';
import { audit, controlError } from '@wherry/core/control';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { authoritiesSchema, disableSchema, enableSchema, issuerRevokeSchema, revokeSchema } from '../http/schemas.ts';
import { requireOperator } from '../operator.ts';
import { registeredId } from '../users/registered-id.ts';

interface UserParameters {
  readonly id: string;
}

interface Reason {
  readonly reason: string;
}

interface AuthoritiesBody extends Reason {
  readonly authorities: readonly string[];
}

interface IssuerBody extends Reason {
  /** NumericDate; absent: now. */
  readonly notBefore?: number;
}

/** What operators do to users, and to all tokens at once. */
export function adminRoutes(app: FastifyInstance, context: AuthContext): void {
  const { userEnds } = context;

  /** Ends all that a user has, registered here or carried over. */
  app.route<{ Params: UserParameters; Body: Reason }>({
    method: 'POST',
    url: '/v1/admin/users/:id/revoke',
    schema: revokeSchema,
    handler: async (request) => {
      const actor = requireOperator(context, request);
      const { id } = request.params;
      const { generation, propagated } = await userEnds.end(id, actor, request.body.reason);
      return { userId: userIdClaim(id), generation, propagated };
    },
  });

  /** Ends all that a user has and keeps him out, registered here or carried over. */
  app.route<{ Params: UserParameters; Body: Reason }>({
    method: 'POST',
    url: '/v1/admin/users/:id/disable',
    schema: disableSchema,
    handler: async (request) => {
      const actor = requireOperator(context, request);
      const { id } = request.params;
      const { generation, propagated } = await userEnds.disable(id, actor, request.body.reason);
      return { userId: userIdClaim(id), generation, propagated };
    },
  });

  /** Lets a user in again; he has to sign in anew. */
  app.route<{ Params: UserParameters; Body: Reason }>({
    method: 'POST',
    url: '/v1/admin/users/:id/enable',
    schema: enableSchema,
    handler: async (request) => {
      const actor = requireOperator(context, request);
      const { id } = request.params;
      const { changed, propagated } = await userEnds.enable(id, actor, request.body.reason);
      return { userId: userIdClaim(id), changed, propagated };
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
      const { reason } = request.body;
      const authorities = [...new Set(request.body.authorities)];
      const { users, now } = context.registration;
      const registered = registeredId(id);
      const change = async (): Promise<boolean> => {
        if (registered === undefined || !(await users.setAuthorities(registered, authorities, now()))) return false;
        await audit(context.runtime.control, {
          actor,
          action: 'user.authorities_changed',
          reason,
          details: { userId: id, authorities },
        }).catch((error: unknown) => {
          throw controlError(error);
        });
        return true;
      };
      // The end comes after the row: a log-in that still saw the old authorities is of the old generation.
      const end = await userEnds.after(id, actor, reason, change);
      if (end === undefined) throw new WherryError('not_found', 'no registered user has this id');
      const { generation, propagated } = end;
      return { userId: userIdClaim(id), authorities, generation, propagated };
    },
  });

  /** Ends every access token that was issued up to a moment, whoever has it; sessions go on. */
  app.route<{ Body: IssuerBody }>({
    method: 'POST',
    url: '/v1/admin/issuer/revoke',
    schema: issuerRevokeSchema,
    handler: async (request) => {
      const actor = requireOperator(context, request);
      const { revocations } = context.runtime;
      const second = Math.floor(context.now() / 1000);
      const asked = request.body.notBefore ?? second;
      if (asked > second) throw new WherryError('bad_request', 'notBefore is in the future: tokens issued from now on would be refused');
      const { notBefore, seq } = await revocations.raiseIssuerNotBefore(asked, actor, request.body.reason);
      return { notBefore, propagated: await revocations.propagated(seq) };
    },
  });
}
