import type { FastifyError, FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';
import { introspectRoute } from './introspect.ts';
import { sendOAuthError } from './oauth-errors.ts';
import { revokeRoute } from './revoke.ts';
import { tokenRoute } from './token.ts';

/** The endpoints that take forms and answer errors as RFC 6749 has them. */
export async function oauthEndpoints(app: FastifyInstance, context: AuthContext): Promise<void> {
  await app.register(async (scope) => {
    // RFC 6749 section 3.2: the token endpoint takes forms, and nothing else.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    // Forms are read by a reader of their own; their schemas are for the document.
    scope.setValidatorCompiler(() => () => true);
    scope.setErrorHandler<FastifyError>((thrown, request, reply) => sendOAuthError(request, reply, thrown));
    tokenRoute(scope, context);
    introspectRoute(scope, context);
    revokeRoute(scope, context);
  });
}
