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

/** A whole number from 1 to 999,999,999. */
export function parsePositive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Allowed is a whole number from 1.');
  return Number(text);
}

/** A percentage, to two places. */
export function parsePercent(text: string): number {
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(text) || Number(text) > 100) throw new InvalidArgumentError('Allowed is 0 to 100 in steps of 0.01.');
  return Number(text);
}
