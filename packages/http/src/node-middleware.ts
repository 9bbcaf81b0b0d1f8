import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWherryError } from '@wherry/core';
import {
  admitByJudge,
  admitFromGateway,
  enterRequest,
  type Admission,
  type Admit,
  type GatewayPrincipalOptions,
  type JudgedPrincipalOptions,
} from './admission.ts';
import { sendProblem } from './problem-response.ts';
import { boundIdentity } from './request-binding.ts';

/** Passes control on, as Express calls it. */
export type Next = (error?: unknown) => void;

/** A middleware in the terms of node:http: Express 4, Express 5, Connect and Nest on either platform take it as it is. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

/** An error-handling middleware, likewise. */
export type ErrorMiddleware = (error: unknown, request: IncomingMessage, response: ServerResponse, next: Next) => void;

/**
 * Gives each request its principal from the gateway's identity headers, for `currentPrincipal()` and its kin anywhere
 * below. Put it before the routes; a body parser may stand on either side of it. Answers `unauthenticated` (401) as
 * problem+json for headers that are malformed or not signed as configured, also where a principal is not required.
 */
export function principalFromGateway(options: GatewayPrincipalOptions = {}): Middleware {
  return middlewareOf(admitFromGateway(options));
}

/** The same for a service that no gateway stands before: the application's own judge says who is calling. */
export function principalFrom(options: JudgedPrincipalOptions): Middleware {
  return middlewareOf(admitByJudge(options));
}

/** Answers errors of ours as problem+json, e.g. those of `requireAuthority()`; passes others on. Put it behind the routes. */
export function problemHandler(): ErrorMiddleware {
  return (error, request, response, next) => {
    if (isWherryError(error)) sendProblem(response, error, { credentialPresented: boundIdentity(request)?.principal !== undefined });
    else next(error);
  };
}

function middlewareOf(admit: Admit): Middleware {
  return (request, response, next) => {
    const proceed = (admission: Admission): void => {
      if (admission.ok) enterRequest(request, response, admission.identity, next);
      else sendProblem(response, admission.error, admission);
    };
    const found = admit(request);
    // What `next` throws is the framework's: it must not come back as a second call of `next`.
    if (found instanceof Promise) found.then(proceed, next);
    else proceed(found);
  };
}
