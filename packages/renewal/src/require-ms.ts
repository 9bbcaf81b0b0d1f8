import { WherryError } from '@wherry/core';

/** Refuses with `config_invalid` what is not a whole number of milliseconds from `least` up. */
export function requireMs(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new WherryError('config_invalid', `${name} is ${value}; whole milliseconds from ${least} up are allowed`);
}
