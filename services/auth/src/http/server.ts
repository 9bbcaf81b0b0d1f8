import { WherryError, type Logger } from '@wherry/core';
import type { PrometheusMetrics } from '@wherry/core/metrics';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { AuthContext } from '../context.ts';
import { offerNonce } from '../oauth/dpop.ts';
import { oauthEndpoints } from '../oauth/endpoints.ts';
import { metadataRoute } from '../oauth/metadata.ts';
import { adminRoutes } from '../routes/admin.ts';
import { handOverRoutes } from '../routes/hand-over.ts';
import { loginRoutes } from '../routes/login.ts';
import { logoutRoutes } from '../routes/logout.ts';
import { passwordRoutes } from '../routes/password.ts';
import { statusRoutes, type Health } from '../routes/status.ts';
import { userRoutes } from '../routes/users.ts';
import { whoamiRoutes } from '../routes/whoami.ts';
import { AllowedMethods } from './allowed-methods.ts';
import { describeRoutes } from './openapi.ts';
import { faultOf, sendProblem } from './problem.ts';
import { logRequests, noteCode } from './request-log.ts';

/** Options of {@link buildServer}. */
export interface ServerOptions {
  readonly log: Logger;
  readonly metrics: PrometheusMetrics | undefined;
  readonly health: Health;
}

const MAX_BODY_BYTES = 64 * 1024;
/** How long a request may take to arrive, head and body. */
const REQUEST_MS = 10_000;
const REQUEST_ID = /^[\w.-]{8,64}$/;

/** The HTTP side: all routes, one form of error, one line of log a request. */
export async function buildServer(context: AuthContext, { log, metrics, health }: ServerOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_MS,
    // The longer of the two counts for bodies (node takes them in the order of their size), and is looked at this often.
    http: { headersTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 },
    trustProxy: (address) => context.proxies.has(address),
    routerOptions: { maxParamLength: 256 },
    // Ours says it as a problem document; see the hook below.
    return503OnClosing: false,
    frameworkErrors: (thrown, _request, reply) => void sendProblem(reply, faultOf(thrown)),
    requestIdHeader: false,
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    // A member of another type or name is a mistake of the caller's, and is told rather than mended.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
  });
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id).header('cache-control', 'no-store');
    if (health.draining()) {
      reply.header('connection', 'close');
      throw new WherryError('draining', 'this instance is shutting down');
    }
  });
  context.endpointLimits.watch(app);
  logRequests(app, { log, ...(metrics === undefined ? {} : { metrics }) });
  app.setErrorHandler<FastifyError>((thrown, request, reply) => {
    const error = faultOf(thrown);
    noteCode(request, error);
    if (error.code === 'dpop_nonce_required') offerNonce(context, reply);
    return sendProblem(reply, error);
  });
  const methods = new AllowedMethods(app);
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods.of(request.url);
    const error =
      allowed.length === 0
        ? new WherryError('not_found', 'there is no such route')
        : new WherryError('method_not_allowed', `this route takes ${allowed.join(', ')}`);
    if (allowed.length > 0) reply.header('allow', allowed.join(', '));
    noteCode(request, error);
    return sendProblem(reply, error);
  });
  await describeRoutes(app, context.oauth.publicUrl);
  userRoutes(app, context);
  loginRoutes(app, context);
  await oauthEndpoints(app, context);
  metadataRoute(app, context);
  handOverRoutes(app, context);
  logoutRoutes(app, context);
  passwordRoutes(app, context);
  whoamiRoutes(app, context);
  adminRoutes(app, context);
  statusRoutes(app, context, health, metrics);
  return app;
}
