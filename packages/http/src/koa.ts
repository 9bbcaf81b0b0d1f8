import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { isWherryError } from '@wherry/core';
import type { Context, Middleware, Next } from 'koa';
import {
  admitByJudge,
  admitFromGateway,
  enterRequest,
  type Admit,
  type GatewayPrincipalOptions,
  type JudgedPrincipalOptions,
} from './admission.ts';
import type { RequestIdentity } from './principal-context.ts';
import { BODY_HEADERS, problemAnswer, type ProblemOptions } from './problem-response.ts';
import { bindReadable, boundIdentity } from './request-binding.ts';

export type { GatewayPrincipalOptions, JudgedPrincipalOptions, PrincipalJudge } from './admission.ts';

/**
 * Middleware: gives each request its principal from the gateway's identity headers, for `currentPrincipal()` and its kin
 * in everything below it and in the stream that becomes the body. Answers `unauthenticated` (401) as problem+json for
 * headers that are malformed or not signed as configured, also where a principal is not required.
 */
export function principalFromGateway(options: GatewayPrincipalOptions = {}): Middleware {
  return middlewareOf(admitFromGateway(options));
}

/** The same for a service that no gateway stands before: the application's own judge says who is calling. */
export function principalFrom(options: JudgedPrincipalOptions): Middleware {
  return middlewareOf(admitByJudge(options));
}

/**
 * Middleware: answers errors of ours from below as problem+json, e.g. those of `requireAuthority()`, and passes others on.
 * Put it first. Those of status 500 and above also go to the application's listeners of `error`, as they would without it.
 */
export function problemHandler(): Middleware {
  return async (context, next) => {
    try {
      await next();
    } catch (error) {
      // The framework lets a broken-off answer stand; cut, the client cannot take a part for the whole.
      if (context.res.headersSent) context.res.destroy();
      if (!isWherryError(error) || context.res.headersSent) throw error;
      if (error.status >= 500) context.app.emit('error', error, context);
      answerProblem(context, error, { credentialPresented: boundIdentity(context.req)?.principal !== undefined });
    }
  };
}

function middlewareOf(admit: Admit): Middleware {
  return async (context: Context, next: Next) => {
    const admission = await admit(context.req);
    if (!admission.ok) {
      answerProblem(context, admission.error, admission);
      return;
    }
    await enterRequest(context.req, context.res, admission.identity, next);
    bindBody(context, admission.identity);
  };
}

/** The framework reads the body's stream after all middlewares, on nobody's behalf. */
function bindBody(context: Context, identity: RequestIdentity): void {
  let body: unknown = context.body;
  if (body instanceof Response) body = body.body;
  if (body instanceof ReadableStream) {
    const stream = Readable.fromWeb(body);
    context.body = stream;
    body = stream;
  }
  if (!(body instanceof Readable)) return;
  bindReadable(body, identity);
  // Generation 2 leaves an answer open for ever whose stream broke after the head.
  body.once('error', () => {
    if (context.res.headersSent) context.res.destroy();
  });
}

function answerProblem(context: Context, thrown: unknown, options: ProblemOptions): void {
  const { status, headers, body } = problemAnswer(thrown, options);
  for (const name of BODY_HEADERS) context.remove(name);
  context.status = status;
  // Before the headers: it sets a type and a length of its own.
  context.body = body;
  for (const [name, value] of Object.entries(headers)) context.set(name, value);
}
