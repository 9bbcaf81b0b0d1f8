import { readFileSync } from 'node:fs';
import { WherryError } from '@wherry/core';
import type { IdentityMapping } from '../legacy/identity-mapping.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A secret from `name`, or from the file that `name_FILE` names, without the line break at its end. Errors: `config_invalid`
 * when neither or both are set, or the file cannot be read; what was set is not repeated.
 */
export function secretFrom(environment: Environment, name: string): string {
  const direct = environment[name];
  const file = environment[`${name}_FILE`];
  if (direct !== undefined && file !== undefined) throw invalid(`${name} and ${name}_FILE are both set; allowed is one of them`);
  const value = file === undefined ? direct : contentOf(file, name);
  if (value === undefined || value === '') throw invalid(`${name} is not set; allowed is ${name} or ${name}_FILE`);
  return value;
}

/** Several secrets, as {@link secretFrom}: texts with commas between, or a JSON list of texts. */
export function secretsFrom(environment: Environment, name: string): readonly string[] {
  const text = secretFrom(environment, name);
  const list = text.trimStart().startsWith('[') ? jsonList(text) : text.split(',').map((member) => member.trim());
  if (list === undefined || list.length === 0 || list.includes(''))
    throw invalid(`${name} is not a list; allowed are texts with commas between, or a JSON list of texts`);
  return list;
}

/** The master key, as {@link secretFrom}: 32 bytes in base64. */
export function masterKeyFrom(environment: Environment): Buffer {
  const key = Buffer.from(secretFrom(environment, 'WHERRY_MASTER_KEY'), 'base64');
  if (key.length !== 32) throw invalid(`the master key has ${key.length} bytes; 32 bytes in base64 are needed`);
  return key;
}

/** Where sessions keep who they belong to; what is not set is as in the configuration of the services. */
export function identityFrom(environment: Environment): IdentityMapping {
  const path = (name: string): string | undefined => environment[`WHERRY_SOURCE_IDENTITY_${name}`];
  return {
    userId: path('USER_ID') ?? 'user.id',
    username: path('USERNAME') ?? 'user.name',
    authorities: (path('AUTHORITIES') ?? 'user.roles,user.permissions').split(',').map((one) => one.trim()),
  };
}

function contentOf(file: string, name: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw invalid(`${name}_FILE names a file that cannot be read (${reason})`);
  }
}

function jsonList(text: string): readonly string[] | undefined {
  try {
    const list = JSON.parse(text) as unknown;
    return Array.isArray(list) && list.every((member) => typeof member === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}

function invalid(message: string): WherryError {
  return new WherryError('config_invalid', message);
}
