import { WherryError } from '@wherry/core';

/** Server errors that say "not now": another primary, a stop, a time limit, a lock (MongoDB's error_codes.yml). */
const NOT_NOW = new Set([
  24, 50, 64, 79, 89, 91, 100, 112, 133, 189, 202, 262, 290, 317, 358, 6, 7, 9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436,
]);
const NOT_NOW_LABELS = ['RetryableWriteError', 'RetryableError', 'TransientTransactionError', 'SystemOverloadedError'];
/** Names of the driver for what would be refused however often it is asked. */
const REFUSED = new Set([
  'BSONError',
  'BSONOffsetError',
  'MongoInvalidArgumentError',
  'MongoServerError',
  'MongoBulkWriteError',
  'RangeError',
  'TypeError',
]);

/** True where an insert met a document of the same id: its condition did not hold, or another writer was first. */
export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === 11_000;
}

/** True where the server does not know a command or an option. */
export function isUnknownToServer(error: unknown): boolean {
  return [59, 115, 238].includes(codeOf(error));
}

/** `source_refused` for what the server or the driver would refuse again, `source_unavailable` for the rest. */
export function asSourceError(cause: unknown): WherryError {
  if (cause instanceof WherryError) return cause;
  const name = cause instanceof Error ? cause.name : '';
  if (REFUSED.has(name) && !NOT_NOW.has(codeOf(cause)) && !isLabelled(cause))
    return new WherryError('source_refused', 'MongoDB refused the operation; the log has its answer', { cause });
  return new WherryError('source_unavailable', 'MongoDB cannot be reached', { cause });
}

function isLabelled(error: unknown): boolean {
  const has = (error as { hasErrorLabel?: (label: string) => boolean } | undefined)?.hasErrorLabel;
  return typeof has === 'function' && NOT_NOW_LABELS.some((label) => has.call(error, label));
}

/** Two copies of the driver in one program share no classes, so errors are told by their fields. */
function codeOf(error: unknown): number {
  const code = (error as { code?: unknown } | undefined | null)?.code;
  return typeof code === 'number' ? code : 0;
}
