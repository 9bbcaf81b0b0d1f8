import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { readForm } from '../http/form.ts';
import { confidentialClientOf } from './client-authentication.ts';
import { introspect } from './introspection.ts';
import { INTROSPECTION_JWT, introspectionJwt, wantsJwt } from './introspection-jwt.ts';
import { introspectSchema } from './schemas.ts';

/** POST /oauth/introspect (RFC 7662), for clients that authenticate; as a signed JWT where it is asked for (RFC 9701). */
export function introspectRoute(app: FastifyInstance, context: AuthContext): void {
  app.post<{ Body: string | undefined }>('/oauth/introspect', { schema: introspectSchema }, async (request, reply) => {
    const form = readForm(request.body ?? '');
    const client = await confidentialClientOf(context, request, form);
    // The hint would save a look-up; the form of a token tells its kind.
    const introspection = await introspect(context, client, form.required('token'));
    reply.header('vary', 'accept');
    if (!wantsJwt(request.headers.accept)) return introspection;
    return reply.type(INTROSPECTION_JWT).send(Buffer.from(introspectionJwt(context, client.id, introspection), 'latin1'));
  });
}
