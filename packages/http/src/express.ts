import type { IncomingMessage, ServerResponse } from 'node:http';
import { WherryError, isWherryError } from '@wherry/core';
import { decodeIdentity } from './identity-headers.ts';
import { IdentitySigner, type IdentitySecret } from './identity-signature.ts';
import { emitAsPrincipal, runWithPrincipal } from './principal-context.ts';
import type { Principal } from './principal.ts';
import { sendProblem } from './problem-response.ts';

/** Passes control on, as Express calls it. */
export type Next = (error?: unknown) => void;

/** A middleware in the terms of node:http: Express 4, Express 5 and Connect take it as it is. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

/** An error-handling middleware, likewise. */
export type ErrorMiddleware = (error: unknown, request: IncomingMessage, response: ServerResponse, next: Next) => void;

/** Options of {@link principalFromGateway}. */
export interface GatewayPrincipalOptions {
  /**
   * The secret shared with the gateway, or several while one replaces another. Given: identity headers count only with
   * a valid signature. Absent: they are believed, so nobody but the gateway may be able to reach this application.
   */
  readonly secret?: IdentitySecret | readonly IdentitySecret[];
  /** True (default): a request from nobody is answered with 401. False: it goes on without a principal. */
  readonly required?: boolean;
}

/**
 * Gives each request its principal from the gateway's identity headers, for `currentPrincipal()` and its kin anywhere
 * below. Put it before the routes; a body parser may stand on either side of it. Answers `unauthenticated` (401) as
 * problem+json for headers that are malformed or not signed as configured, also where a principal is not required.
 */
export function principalFromGateway(options: GatewayPrincipalOptions = {}): Middleware {
  const required = options.required ?? true;
  const signer = options.secret === undefined ? undefined : new IdentitySigner({ secrets: secretsOf(options.secret) });
  return (request, response, next) => {
    let principal: Principal | undefined;
    try {
      principal = decodeIdentity(request.headers);
      if (principal !== undefined) signer?.verify(request.headers);
    } catch (error) {
      sendProblem(response, error);
      return;
    }
    if (principal === undefined && required) {
      sendProblem(response, new WherryError('unauthenticated', 'this needs a signed-in user'), { credentialPresented: false });
      return;
    }
    emitAsPrincipal(request, principal);
    emitAsPrincipal(response, principal);
    runWithPrincipal(principal, next);
  };
}

/** Answers errors of ours as problem+json, e.g. those of `requireAuthority()`; passes others on. Put it behind the routes. */
export function problemHandler(): ErrorMiddleware {
  return (error, _request, response, next) => {
    if (isWherryError(error)) sendProblem(response, error);
    else next(error);
  };
}

function secretsOf(given: IdentitySecret | readonly IdentitySecret[]): readonly IdentitySecret[] {
  return typeof given === 'string' || given instanceof Uint8Array ? [given] : given;
}
