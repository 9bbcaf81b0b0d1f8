import { WherryError } from '@wherry/core';
import { audit, controlError } from '@wherry/core/control';
import { userIdClaim } from '@wherry/tokens';
import type { FastifyInstance, FastifySchema } from 'fastify';
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

  const onUser = (
    name: 'revoke' | 'disable' | 'enable',
    schema: FastifySchema,
    act: (id: string, actor: string, reason: string) => Promise<object>,
  ): void => {
    app.route<{ Params: UserParameters; Body: Reason }>({
      method: 'POST',
      url: `/v1/admin/users/:id/${name}`,
      schema,
      handler: async (request) => {
        const actor = requireOperator(context, request);
        const { id } = request.params;
        return { userId: userIdClaim(id), ...(await act(id, actor, request.body.reason)) };
      },
    });
  };
  // Ends all that a user has, registered here or carried over.
  onUser('revoke', revokeSchema, (id, actor, reason) => userEnds.end(id, actor, reason));
  // The same, and keeps him out.
  onUser('disable', disableSchema, (id, actor, reason) => userEnds.disable(id, actor, reason));
  // Lets him in again; he has to sign in anew.
  onUser('enable', enableSchema, (id, actor, reason) => userEnds.enable(id, actor, reason));

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
