import { readFileSync } from 'node:fs';
import { configFault } from './fault.ts';
import { commaList } from './variables.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Largest file that a secret is read from, in bytes. */
const LARGEST_FILE = 65_536;

/**
 * Reads a secret from `variable`, or from the file that `variable_FILE` names, without the line break at its end;
 * undefined when neither is set. Errors: `config_invalid` when both are set, when it is empty, or when the file cannot
 * be read. The name of the file is not repeated: people put secrets there by mistake.
 */
export function readSecret(environment: Environment, key: string, variable: string): string | undefined {
  const direct = environment[variable];
  const file = environment[`${variable}_FILE`];
  if (direct !== undefined && file !== undefined) {
    throw configFault({ key, is: 'is set twice', allowed: `one of ${variable} and ${variable}_FILE` });
  }
  if (direct === undefined && file === undefined) return undefined;
  const origin = direct === undefined ? `${variable}_FILE` : variable;
  const value = direct ?? contentOf(file ?? '', key, origin);
  if (value === '') throw configFault({ key, origin, is: 'is empty', allowed: 'a secret, or no such variable at all' });
  return value;
}

function contentOf(file: string, key: string, origin: string): string {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw configFault({ key, origin, is: `names a file that cannot be read (${reason})`, allowed: 'the path of a readable file' });
  }
  if (content.length > LARGEST_FILE)
    throw configFault({ key, origin, is: 'names a file that is too large', allowed: `a file of up to ${LARGEST_FILE} bytes` });
  return content.toString('utf8').replace(/\r?\n$/, '');
}

/** Several secrets in one text: with commas between, or a JSON list where one of them holds a comma. */
export function secretList(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return commaList(text);
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((member) => typeof member === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}
