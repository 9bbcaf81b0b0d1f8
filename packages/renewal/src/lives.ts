import { WherryError } from '@wherry/core';

/** Lives that renewal needs to fit into each other, in ms. */
export interface RenewalLives {
  /** Of an access token. */
  readonly tokenLifeMs: number;
  /** How long after its end a token may still be renewed; twice its life where nothing else is said. */
  readonly windowMs: number;
  /** How long a family lives unused. */
  readonly idleMs: number;
  /** How long a session lives at most; null for no bound. */
  readonly absoluteLifeMs: number | null;
}

/**
 * Refuses with `config_invalid`: a token that could still be renewed after the end of every session that it can belong to,
 * and a family that can be at its end while its token, or the window behind it, is not.
 */
export function checkRenewalLives({ tokenLifeMs, windowMs, idleMs, absoluteLifeMs }: RenewalLives): void {
  requireMs('tokenLifeMs', tokenLifeMs, 1);
  requireMs('windowMs', windowMs, 0);
  requireMs('idleMs', idleMs, 1);
  const needed = tokenLifeMs + windowMs;
  const sum = `tokenLifeMs (${tokenLifeMs}) and windowMs (${windowMs}) are ${needed} ms together`;
  if (needed > idleMs) throw new WherryError('config_invalid', `${sum}; idleMs, ${idleMs} ms, is the most that is allowed`);
  if (absoluteLifeMs === null) return;
  requireMs('absoluteLifeMs', absoluteLifeMs, 1);
  if (needed > absoluteLifeMs)
    throw new WherryError('config_invalid', `${sum}; absoluteLifeMs, ${absoluteLifeMs} ms, is the most that is allowed`);
}

/** Refuses with `config_invalid` what is not a whole number of milliseconds from `least` up. */
export function requireMs(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new WherryError('config_invalid', `${name} is ${value}; whole milliseconds from ${least} up are allowed`);
}
