import { WherryError } from '@wherry/core';

/** Names under which the service asks for patience. */
const THROTTLING = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TransactionConflictException',
]);

/** True for an error that a later repeat may not meet. */
export function isThrottling(error: unknown): boolean {
  return THROTTLING.has(nameOf(error));
}

/** True for a conditional write whose condition did not hold. */
export function isConditionFailure(error: unknown): boolean {
  return nameOf(error) === 'ConditionalCheckFailedException';
}

/** `source_refused` for what the service answered with a client error, `source_unavailable` for the rest. */
export function asSourceError(cause: unknown): WherryError {
  const status = (cause as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode ?? 0;
  const refused = status >= 400 && status < 500 && !isThrottling(cause);
  return refused
    ? new WherryError('source_refused', `DynamoDB refused the operation: ${nameOf(cause)}`, { cause })
    : new WherryError('source_unavailable', 'DynamoDB cannot be reached', { cause });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
