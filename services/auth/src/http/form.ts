import { WherryError } from '@wherry/core';

/** Parameters of a form-encoded body, each at most once and never empty. */
export type FormParameters = ReadonlyMap<string, string>;

/**
 * Reads a form-encoded body by the rules of the token endpoint (RFC 6749 section 3.2): a parameter that comes twice is
 * refused, one without a value counts as absent. Errors: `bad_request`.
 */
export function readForm(body: string): FormParameters {
  const parameters = new Map<string, string>();
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (seen.has(name)) throw new WherryError('bad_request', 'a parameter is there more than once');
    seen.add(name);
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}
