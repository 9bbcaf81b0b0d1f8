import { AsyncLocalStorage } from 'node:async_hooks';
import { WherryError } from '@wherry/core';
import type { Principal } from './principal.ts';

/** What one request knows of who is behind it. */
export interface RequestIdentity {
  readonly principal: Principal | undefined;
  /** Services through which the request came, the first one first; none: straight from the gateway. */
  readonly callers: readonly string[];
  /** When the gateway named the principal, epoch milliseconds; undefined where no gateway did. */
  readonly provedAt: number | undefined;
}

const storage = new AsyncLocalStorage<RequestIdentity>();
const NOBODY: RequestIdentity = { principal: undefined, callers: [], provedAt: undefined };

/**
 * Calls `work` as `principal` (undefined: as nobody) and answers what it answers. Everything that it starts, however it
 * waits, sees this principal and no other; what runs outside is not touched. Within a request the services through which
 * it came stay known, whoever the principal is: so a circle of calls still ends.
 */
export function runWithPrincipal<T>(principal: Principal | undefined, work: () => T): T {
  const present = currentIdentity();
  // Of another principal than the gateway's the application itself vouches, as of now.
  const provedAt = principal === present.principal ? present.provedAt : undefined;
  return storage.run({ principal, callers: present.callers, provedAt }, work);
}

/** The same with all that a request knows. */
export function runWithIdentity<T>(identity: RequestIdentity, work: () => T): T {
  return storage.run(identity, work);
}

/** What the present request knows; outside of one: of nobody. */
export function currentIdentity(): RequestIdentity {
  return storage.getStore() ?? NOBODY;
}

/** Who is calling; undefined: nobody has signed in, or this does not run on behalf of a request. */
export function currentPrincipal(): Principal | undefined {
  return storage.getStore()?.principal;
}

/** The services that called on the user's behalf, the first one first and the direct caller last; none: the gateway itself. */
export function currentCallers(): readonly string[] {
  return currentIdentity().callers;
}

/** Who is calling. Errors: `unauthenticated` when nobody has signed in. */
export function requirePrincipal(): Principal {
  const principal = currentPrincipal();
  if (principal === undefined) throw new WherryError('unauthenticated', 'this needs a signed-in user');
  return principal;
}

/**
 * Who is calling, if he has every one of `authorities`. Errors: `unauthenticated` when nobody has signed in,
 * `forbidden` when an authority is missing.
 */
export function requireAuthority(...authorities: readonly [string, ...string[]]): Principal {
  const principal = requirePrincipal();
  const missing = authorities.find((authority) => !principal.authorities.includes(authority));
  if (missing !== undefined) throw new WherryError('forbidden', `this needs the authority ${missing}`, { data: { authority: missing } });
  return principal;
}
