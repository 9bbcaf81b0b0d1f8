import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { WherryError } from '@wherry/core';
import type { IdentityMapping } from '../legacy/identity-mapping.ts';
import { parseSourceRefKey } from '../source-ref-key.ts';

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

const SOURCE_REF_KEY = 'WHERRY_SOURCE_REF_KEY';

/** The key that source refs are sealed under, as {@link secretFrom}. */
export function sourceRefKeyFrom(environment: Environment): KeyObject {
  return parseSourceRefKey(secretFrom(environment, SOURCE_REF_KEY));
}

/**
 * Refuses the master key in an application's environment: whoever takes the application over could open the signing
 * keys with it. Errors: `config_invalid`, which says what to set instead.
 */
export function refuseMasterKey(environment: Environment): void {
  const found = ['WHERRY_MASTER_KEY', 'WHERRY_MASTER_KEY_FILE'].find((name) => environment[name] !== undefined);
  if (found === undefined) return;
  throw invalid(
    `${found} is set, and an application must not have the master key; allowed is ${SOURCE_REF_KEY} or ${SOURCE_REF_KEY}_FILE, which "wherry config app-key" gives out`,
  );
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
