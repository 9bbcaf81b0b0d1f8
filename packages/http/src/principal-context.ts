import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import { WherryError } from '@wherry/core';
import type { Principal } from './principal.ts';

const storage = new AsyncLocalStorage<Principal | undefined>();

/**
 * Calls `work` as `principal` (undefined: as nobody) and answers what it answers. Everything that it starts, however it
 * waits, sees this principal and no other; what runs outside is not touched.
 */
export function runWithPrincipal<T>(principal: Principal | undefined, work: () => T): T {
  return storage.run(principal, work);
}

/**
 * Makes the listeners of a request or response run as `principal`. node:http emits from the connection's context, where
 * nobody is signed in, so without this a listener of `data` or `finish` would not know on whose behalf it runs.
 */
export function emitAsPrincipal(emitter: EventEmitter, principal: Principal | undefined): void {
  const emit = emitter.emit.bind(emitter);
  emitter.emit = (name: string | symbol, ...values: unknown[]): boolean => storage.run(principal, () => emit(name, ...values));
}

/** Who is calling; undefined: nobody has signed in, or this does not run on behalf of a request. */
export function currentPrincipal(): Principal | undefined {
  return storage.getStore();
}

/** Who is calling. Errors: `unauthenticated` when nobody has signed in. */
export function requirePrincipal(): Principal {
  const principal = storage.getStore();
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
