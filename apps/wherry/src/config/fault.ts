import { WherryError } from '@wherry/core';

/** Longest part of a value that is shown, in characters. */
const SHOWN = 60;

/** What is wrong with one key of the configuration. */
export interface ConfigFault {
  /** E.g. `gateway.port`. */
  readonly key: string;
  /** Where the value came from: a variable's name or the file's. */
  readonly origin?: string;
  /** As it is, e.g. `is "abc"`; never a secret. */
  readonly is: string;
  /** Ends the sentence "allowed is …". */
  readonly allowed: string;
}

/** The error for a bad configuration: one line with the key, the value and what is allowed. Code `config_invalid`. */
export function configFault({ key, origin, is, allowed }: ConfigFault): WherryError {
  const where = origin === undefined ? '' : ` (${origin})`;
  return new WherryError('config_invalid', `${key}${where} ${is}; allowed is ${allowed}`.replaceAll(/\p{Cc}+/gu, ' '), { data: { key } });
}

/** A value fit to be shown: text quoted and cut, the credentials of an address hidden, lists and objects by their kind. */
export function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== 'string') return value === null || value === undefined ? 'null' : 'an object';
  // Before an @ an address holds its credentials, and a misspelt one still does.
  const at = value.lastIndexOf('@');
  const safe = at === -1 ? value : `…${value.slice(at)}`;
  return JSON.stringify(safe.length > SHOWN ? `${safe.slice(0, SHOWN)}…` : safe);
}
