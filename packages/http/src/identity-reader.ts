import { WherryError, systemClock, type Clock } from '@wherry/core';
import { CALLERS_HEADER, CALL_FORM, PROVED_AT_HEADER, checkAge, readChain, readProvedAt, serviceName } from './call-chain.ts';
import { decodeIdentity, type IncomingHeaders } from './identity-headers.ts';
import { secretsOf, verifyIdentity, type IdentitySecret } from './identity-mac.ts';
import { IdentitySigner } from './identity-signature.ts';
import type { RequestIdentity } from './principal-context.ts';

/** Whom a service believes when a request says who is calling. */
export interface TrustOptions {
  /**
   * The secret shared with the gateway, or several while one replaces another. Given: its headers count only with a
   * valid signature.
   */
  readonly secret?: IdentitySecret | readonly IdentitySecret[];
  /**
   * Services that may call on a user's behalf, by name, with the key of each for calls to this one (`callKey`), or
   * several while one replaces another. Calls of others are refused.
   *
   * With neither this nor `secret` the headers are believed as they come: then nobody but the gateway may be able to
   * reach this application.
   */
  readonly callers?: Readonly<Record<string, IdentitySecret | readonly IdentitySecret[]>>;
  readonly clock?: Clock;
}

/** Reads from a request's headers who is calling. */
export type IdentityReader = (headers: IncomingHeaders) => RequestIdentity;

/**
 * Makes the reader for the given trust. It answers an identity without principal for a request that claims none, and
 * throws `unauthenticated` for one whose headers are malformed or not signed as configured, `call_chain_too_deep` for one
 * that came through too many services. Errors: `config_invalid` for short secrets and impossible names.
 */
export function identityReader(options: TrustOptions): IdentityReader {
  const clock = options.clock ?? systemClock;
  const signer = options.secret === undefined ? undefined : new IdentitySigner({ secrets: secretsOf(options.secret), clock });
  const keys = new Map(Object.entries(options.callers ?? {}).map(([name, given]) => [serviceName(name), secretsOf(given)]));
  const believing = signer === undefined && options.callers === undefined;

  const fromGateway = (headers: IncomingHeaders): number => {
    if (signer !== undefined) return signer.verify(headers);
    if (!believing) throw new WherryError('unauthenticated', 'here only services may call, and no service signed the identity headers');
    return clock.now();
  };
  const fromService = (headers: IncomingHeaders, callers: readonly string[]): void => {
    if (believing) return;
    const known = keys.get(callers.at(-1) ?? '');
    if (known === undefined)
      throw new WherryError('unauthenticated', 'the service that calls on behalf of the user is not one of those allowed');
    verifyIdentity(CALL_FORM, known, clock, headers);
  };

  return (headers) => {
    const principal = decodeIdentity(headers);
    const passedOn = headers[CALLERS_HEADER] !== undefined || headers[PROVED_AT_HEADER] !== undefined;
    if (principal === undefined) {
      if (passedOn) throw new WherryError('unauthenticated', 'the request names services that call on behalf of nobody');
      return { principal, callers: [], provedAt: undefined };
    }
    if (!passedOn) return { principal, callers: [], provedAt: fromGateway(headers) };
    const callers = readChain(headers[CALLERS_HEADER]);
    const provedAt = readProvedAt(headers[PROVED_AT_HEADER]);
    fromService(headers, callers);
    checkAge(provedAt, clock.now());
    return { principal, callers, provedAt };
  };
}
