import { InvalidArgumentError } from 'commander';

/** A whole number from 0 to 999,999,999. */
export function parseWhole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Allowed is a whole number from 0 to 999999999.');
  return Number(text);
}

/** The id of a session row. */
export function parseId(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw new InvalidArgumentError('Allowed is an id as the list prints it.');
  return BigInt(text);
}
