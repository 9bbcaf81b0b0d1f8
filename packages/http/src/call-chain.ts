import { hkdfSync } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { IDENTITY_HEADERS, type IncomingHeaders } from './identity-headers.ts';
import { SIGNATURE_WINDOW_MS, secretsOf, type IdentitySecret, type SignedForm } from './identity-mac.ts';

/**
 * How a service that was called on behalf of a user calls the next one on his behalf.
 *
 * It sends the identity headers on, and two more: `x-wherry-callers` names the services through which the request came,
 * the first one first and itself last; `x-wherry-proved-at` says when the gateway named the user. All of it is signed
 * as `v2` under a key that belongs to one pair of services in one direction ({@link callKey}): whoever receives calls can
 * neither make them in the caller's name to a third service nor pass those on that he received.
 */
export const CALLERS_HEADER = 'x-wherry-callers';
/** Epoch milliseconds, 13 digits. */
export const PROVED_AT_HEADER = 'x-wherry-proved-at';

/** Most services between the gateway and the last one called: deeper is a loop. */
const MOST_CALLERS = 8;
/** How long a user that the gateway named once is carried on, milliseconds: his session may have ended since. */
const LONGEST_CARRIED_MS = 15 * 60_000;
const SERVICE_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const TIME = /^\d{13}$/;

/** Fixed for ever within `v2`. */
export const CALL_FORM: SignedForm = {
  version: 'v2',
  headers: [...Object.values(IDENTITY_HEADERS), CALLERS_HEADER, PROVED_AT_HEADER].toSorted(),
};

/** Ends of a call between two services, by their names. */
export interface CallEnds {
  readonly from: string;
  readonly to: string;
}

/**
 * The key for calls of one service to another, text of 43 characters: HKDF-SHA-256 (RFC 5869) of the caller's own
 * `secret`, without salt, with the info `wherry call <from> <to>`, in base64url. The caller makes it when it calls; the
 * one called is given the key and never the secret. Errors: `config_invalid` for a short secret or a name that is not
 * 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or digit.
 */
export function callKey(secret: IdentitySecret, { from, to }: CallEnds): string {
  const [material = ''] = secretsOf(secret);
  const info = `wherry call ${serviceName(from)} ${serviceName(to)}`;
  return Buffer.from(hkdfSync('sha256', material, Buffer.alloc(0), info, 32)).toString('base64url');
}

/** The name itself. Errors: `config_invalid` for one that is not a service's name. */
export function serviceName(name: string): string {
  if (!SERVICE_NAME.test(name)) {
    throw new WherryError('config_invalid', `"${name}" is no name of a service: 1 to 63 of a-z 0-9 . _ -, the first a letter or digit`);
  }
  return name;
}

/** The chain of callers with `service` at its end. Errors: `call_chain_too_deep`. */
export function lengthenChain(callers: readonly string[], service: string): readonly string[] {
  const longer = [...callers, service];
  checkDepth(longer);
  return longer;
}

/** Reads the header of the callers. Errors: `unauthenticated` for one that is malformed or doubled, `call_chain_too_deep`. */
export function readChain(written: IncomingHeaders[string]): readonly string[] {
  const callers = typeof written === 'string' ? written.split(',') : [];
  if (callers.length === 0 || !callers.every((name) => SERVICE_NAME.test(name))) throw malformed(CALLERS_HEADER);
  checkDepth(callers);
  return callers;
}

/** Reads when the gateway named the user, epoch milliseconds. Errors: `unauthenticated` for what is malformed or doubled. */
export function readProvedAt(written: IncomingHeaders[string]): number {
  if (typeof written !== 'string' || !TIME.test(written)) throw malformed(PROVED_AT_HEADER);
  return Number(written);
}

/** Lets an identity pass that is young enough to be carried on. Errors: `unauthenticated` otherwise. */
export function checkAge(provedAt: number, now: number): void {
  const age = now - provedAt;
  if (age > LONGEST_CARRIED_MS || age < -SIGNATURE_WINDOW_MS) {
    throw new WherryError('unauthenticated', 'the gateway named this user too long ago for him to be carried on');
  }
}

function checkDepth(callers: readonly string[]): void {
  if (callers.length > MOST_CALLERS) {
    throw new WherryError('call_chain_too_deep', `the call came through more than ${MOST_CALLERS} services: a loop`);
  }
}

function malformed(header: string): WherryError {
  return new WherryError('unauthenticated', `the identity header ${header} is missing or malformed`, { data: { header } });
}
