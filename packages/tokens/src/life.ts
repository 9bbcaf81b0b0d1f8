import { WherryError } from '@wherry/core';

/** Lives that have to fit into each other, in seconds. */
export interface TokenLives {
  /** Of an access token. */
  readonly lifeS: number;
  /** How long after its end a token may still be renewed; twice its life where nothing else is said. */
  readonly renewalWindowS: number;
  /** Of a session, however much it is used; null for no bound. */
  readonly absoluteLifeS: number | null;
}

/** After its end a token may be renewed for so many of its lives. */
export const RENEWAL_LIVES = 2;

/**
 * Refuses lives that contradict each other with `config_invalid`: a token that could still be renewed after the end of
 * every session that it can belong to.
 */
export function checkTokenLives({ lifeS, renewalWindowS, absoluteLifeS }: TokenLives): void {
  requireSeconds('lifeS', lifeS, 1);
  requireSeconds('renewalWindowS', renewalWindowS, 0);
  if (absoluteLifeS === null) return;
  requireSeconds('absoluteLifeS', absoluteLifeS, 1);
  if (lifeS + renewalWindowS > absoluteLifeS) {
    throw new WherryError(
      'config_invalid',
      `lifeS (${lifeS}) and renewalWindowS (${renewalWindowS}) are ${lifeS + renewalWindowS} s together; the absolute life of a session, ${absoluteLifeS} s, is the most that is allowed`,
    );
  }
}

function requireSeconds(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new WherryError('config_invalid', `${name} is ${value}; whole seconds from ${least} up are allowed`);
}
