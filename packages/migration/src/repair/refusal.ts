import { isWherryError } from '@wherry/core';

/** What a dead letter of reason `unstorable` says. */
export const REFUSED = 'the shard refuses to store it';

/** True when a shard answered and refused what was to be written: a repeat makes no sense. */
export function isRefusal(error: unknown): boolean {
  return isWherryError(error, 'record_unstorable') || isWherryError(error, 'internal');
}
