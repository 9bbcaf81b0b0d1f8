import { isWherryError } from '@wherry/core';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import {
  admitByJudge,
  admitFromGateway,
  enterRequest,
  type Admission,
  type Admit,
  type GatewayPrincipalOptions,
  type JudgedPrincipalOptions,
} from './admission.ts';
import { replyProblem } from './fastify-problem.ts';
import { boundIdentity } from './request-binding.ts';

export type { GatewayPrincipalOptions, JudgedPrincipalOptions, PrincipalJudge } from './admission.ts';

/** An error handler for `setErrorHandler`. */
export type ProblemHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/**
 * Plugin: gives each request its principal from the gateway's identity headers, for `currentPrincipal()` and its kin
 * anywhere below. It acts on the scope in which it is registered and all below it. `onRequest` hooks that were added
 * before it run without a principal; every later hook, parser, handler and listener runs with it. Answers
 * `unauthenticated` (401) as problem+json for headers that are malformed or not signed as configured, also where a
 * principal is not required.
 */
export const principalFromGateway: FastifyPluginAsync<GatewayPrincipalOptions> = openPlugin<GatewayPrincipalOptions>(
  'wherry-principal-from-gateway',
  // Not with a callback: what such a plugin throws nobody catches.
  async (app, options) => addAdmission(app, admitFromGateway(options)),
);

/** The same for a service that no gateway stands before: the application's own judge says who is calling. */
export const principalFrom: FastifyPluginAsync<JudgedPrincipalOptions> = openPlugin<JudgedPrincipalOptions>(
  'wherry-principal-from-judge',
  async (app, options) => addAdmission(app, admitByJudge(options)),
);

/**
 * Answers errors of ours as problem+json, e.g. those of `requireAuthority()`; hands others to the error handler that was
 * in force before. Use: `app.setErrorHandler(problemHandler())`.
 */
export function problemHandler(): ProblemHandler {
  return (error, request, reply) => {
    // When an answer is on its way, no handler can write another one.
    if (reply.raw.headersSent) reply.raw.destroy();
    else if (!isWherryError(error)) reply.send(error);
    else replyProblem(reply, error, { credentialPresented: boundIdentity(request.raw)?.principal !== undefined });
  };
}

function addAdmission(app: FastifyInstance, admit: Admit): void {
  app.addHook('onRequest', (request, reply, done) => {
    const proceed = (admission: Admission): void => {
      if (admission.ok) enterRequest(request.raw, reply.raw, admission.identity, done);
      else replyProblem(reply, admission.error, admission);
    };
    const found = admit(request.raw);
    if (found instanceof Promise) found.then(proceed, done);
    else proceed(found);
  });
}

/**
 * Marks a plugin as one whose hooks belong to the scope that registers it, by the framework's own symbols: a plugin has a
 * scope of its own otherwise, and its hooks would reach no route.
 */
function openPlugin<O extends object>(name: string, plugin: FastifyPluginAsync<O>): FastifyPluginAsync<O> {
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: name,
    [Symbol.for('plugin-meta')]: { name, fastify: '5.x' },
  });
}
