import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import { runWithIdentity, type RequestIdentity } from './principal-context.ts';

/** On whose behalf an emitter runs its listeners; the last one bound counts. */
const bound = new WeakMap<EventEmitter, { identity: RequestIdentity }>();

/**
 * Makes the listeners of a request, response or stream run as `identity`. node:http emits from the connection's context,
 * where nobody is signed in, so without this a listener of `data` or `finish` would not know on whose behalf it runs.
 */
export function bindEmitter(emitter: EventEmitter, identity: RequestIdentity): void {
  const binding = bound.get(emitter);
  if (binding !== undefined) {
    binding.identity = identity;
    return;
  }
  const present = { identity };
  bound.set(emitter, present);
  const emit = emitter.emit.bind(emitter);
  emitter.emit = (name: string | symbol, ...values: unknown[]): boolean => runWithIdentity(present.identity, () => emit(name, ...values));
}

/** The identity that an emitter was bound to; undefined: to none. */
export function boundIdentity(emitter: EventEmitter): RequestIdentity | undefined {
  return bound.get(emitter)?.identity;
}

/** Makes a stream produce as `identity` what is read of it, also by somebody who reads on nobody's behalf. */
export function bindReadable(stream: Readable, identity: RequestIdentity): void {
  bindEmitter(stream, identity);
  const read = stream.read.bind(stream);
  stream.read = (size?: number): unknown => runWithIdentity(identity, () => read(size));
}
