import { isWherryError } from '../errors.ts';
import type { LogFields } from '../log.ts';
import { CENSORED, isSecretName, withoutSecrets } from '../secrets.ts';

const MAX_DEPTH = 6;
const MAX_ITEMS = 50;
const MAX_TEXT = 8192;

/** SQLSTATE class 22, data exceptions: the message quotes the value that was wrong. */
const QUOTES_VALUES = /^22[0-9A-Z]{3}$/;

/** A copy of `fields` fit for a log: secrets replaced, errors as plain values, bounded in depth, width and length. */
export function cleanFields(fields: LogFields): Record<string, unknown> {
  return cleanObject(fields, 0);
}

function cleanObject(fields: object, depth: number): Record<string, unknown> {
  const clean: [string, unknown][] = Object.entries(fields).map(([name, value]) => [
    name,
    carriesText(value) && isSecretName(name) ? CENSORED : cleanValue(value, depth + 1),
  ]);
  return Object.fromEntries(clean);
}

/** A number or a flag under a secret's name counts or tells of secrets, it is none: `tokens: 3`. */
function carriesText(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

function cleanValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutSecrets(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return cleanError(value, depth);
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (depth > MAX_DEPTH) return '[deeper]';
  if (value instanceof URL) return withoutSecrets(value.href);
  if (value instanceof Map) return cleanObject(Object.fromEntries(value), depth);
  if (value instanceof Set || Array.isArray(value)) return [...value].slice(0, MAX_ITEMS).map((item) => cleanValue(item, depth + 1));
  return cleanObject(value, depth);
}

/** Name, code, message, frames and causes of an error. Driver errors lose what quotes column values: `detail`, and some messages. */
function cleanError(error: Error, depth: number): unknown {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const message = code !== undefined && QUOTES_VALUES.test(code) ? `data exception ${code}` : error.message;
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: cleanValue(message, depth),
    ...(isWherryError(error) && Object.keys(error.data).length > 0 ? { data: cleanObject(error.data, depth) } : {}),
    // The first lines of a stack repeat the message, uncleaned.
    stack: error.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .join('\n'),
    ...(error.cause === undefined || depth > MAX_DEPTH ? {} : { cause: cleanCause(error.cause, depth + 1) }),
    ...(error instanceof AggregateError && depth <= MAX_DEPTH ? { errors: cleanValue(error.errors, depth + 1) } : {}),
  };
}

/** A cause may be anything that was thrown; a text alone has no name to judge it by and no use. */
function cleanCause(cause: unknown, depth: number): unknown {
  return typeof cause === 'string' ? '[text]' : cleanValue(cause, depth);
}
