import type { IncomingMessage, ServerResponse } from 'node:http';
import { WherryError, isWherryError } from '@wherry/core';
import { identityReader, type TrustOptions } from './identity-reader.ts';
import { runWithIdentity, type RequestIdentity } from './principal-context.ts';
import type { Principal } from './principal.ts';
import { bindEmitter } from './request-binding.ts';

/** Options of every `principalFromGateway`. */
export interface GatewayPrincipalOptions extends TrustOptions {
  /** True (default): a request from nobody is answered with 401. False: it goes on without a principal. */
  readonly required?: boolean;
}

/**
 * Decides by a request who is calling, for a service that no gateway stands before; undefined: it carries no credential.
 * It throws or rejects with an error of ours for a credential that does not count; that error is the answer. It must not
 * read the body.
 */
export type PrincipalJudge = (request: IncomingMessage) => Principal | undefined | Promise<Principal | undefined>;

/** Options of every `principalFrom`. */
export interface JudgedPrincipalOptions {
  readonly judge: PrincipalJudge;
  /** As in {@link GatewayPrincipalOptions}. */
  readonly required?: boolean;
}

/** Whether a request may go on, and as whom. */
export type Admission =
  | { readonly ok: true; readonly identity: RequestIdentity }
  | { readonly ok: false; readonly error: WherryError; readonly credentialPresented: boolean };

/** Judges each request before its route. What it throws or rejects with is not ours and goes the framework's way of errors. */
export type Admit = (request: IncomingMessage) => Admission | Promise<Admission>;

/** Admits by the identity headers, from memory and at once. Errors: `config_invalid`. */
export function admitFromGateway(options: GatewayPrincipalOptions): (request: IncomingMessage) => Admission {
  const read = identityReader(options);
  const required = options.required ?? true;
  return (request) => {
    try {
      return admitted(read(request.headers), required);
    } catch (error) {
      return refused(error);
    }
  };
}

/** Admits by what the application's own judge says. */
export function admitByJudge(options: JudgedPrincipalOptions): (request: IncomingMessage) => Promise<Admission> {
  const required = options.required ?? true;
  return async (request) => {
    try {
      return admitted({ principal: await options.judge(request), callers: [], provedAt: Date.now() }, required);
    } catch (error) {
      return refused(error);
    }
  };
}

/** Calls `work` on behalf of a request, and has the listeners of the request and its response run so too. */
export function enterRequest<T>(request: IncomingMessage, response: ServerResponse, identity: RequestIdentity, work: () => T): T {
  bindEmitter(request, identity);
  bindEmitter(response, identity);
  return runWithIdentity(identity, work);
}

function admitted(identity: RequestIdentity, required: boolean): Admission {
  if (identity.principal !== undefined || !required) return { ok: true, identity };
  return { ok: false, error: new WherryError('unauthenticated', 'this needs a signed-in user'), credentialPresented: false };
}

function refused(error: unknown): Admission {
  if (!isWherryError(error)) throw error;
  return { ok: false, error, credentialPresented: true };
}
