import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { WherryError } from '@wherry/core';
import { requiredShardAddresses, shardAddresses, shardNames } from '@wherry/shards';
import type { IdentityMapping } from '../legacy/identity-mapping.ts';
import { parseSourceRefKey } from '../source-ref-key.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A secret from `name`, or from the file that `name_FILE` names, without the line break at its end. Errors: `config_invalid`
 * when neither or both are set, or the file cannot be read; what was set is not repeated.
 */
export function secretFrom(environment: Environment, name: string): string {
  const value = secretIn(environment, name);
  if (value === undefined) throw invalid(`${name} is not set; allowed is ${name} or ${name}_FILE`);
  return value;
}

/** undefined: neither is set, or it is empty. */
function secretIn(environment: Environment, name: string): string | undefined {
  const direct = environment[name];
  const file = environment[`${name}_FILE`];
  if (direct !== undefined && file !== undefined) throw invalid(`${name} and ${name}_FILE are both set; allowed is one of them`);
  const value = file === undefined ? direct : contentOf(file, name);
  return value === '' ? undefined : value;
}

/** The shards, by the rule of the services: `WHERRY_SHARDS_URLS`, or `WHERRY_SHARDS_LIST` and a variable for each. Errors: `config_invalid`. */
export function shardsFrom(environment: Environment): readonly { readonly name: string; readonly url: string }[] {
  const names = shardNames(environment['WHERRY_SHARDS_LIST']);
  return requiredShardAddresses(shardAddresses(names, (variable) => secretIn(environment, variable)));
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

function invalid(message: string): WherryError {
  return new WherryError('config_invalid', message);
}
