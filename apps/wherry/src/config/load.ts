import { shardVariable } from '@wherry/shards';
import type { WherryConfig } from './config.ts';
import { CONFIG_VARIABLE, applyEnvironment, refuseUnknownVariables } from './environment.ts';
import { configFault } from './fault.ts';
import { DEFAULT_FILE, readConfigFile } from './file.ts';
import { checkRules, type OriginOf } from './rules.ts';
import type { Settings } from './schema.ts';
import {
  clientVariable,
  clientsOf,
  controlUrlOf,
  cookieSecretsOf,
  encryptionSecretOf,
  masterKeyOf,
  operatorSecretOf,
  shardsOf,
  sourceUrlOf,
  streamUrlOf,
  upstreamSecretsOf,
} from './secret-values.ts';
import { Secret } from './secret.ts';
import type { Environment } from './secrets.ts';
import { hasCredentials } from './source-url.ts';
import { validated } from './validate.ts';

/** Where a configuration is read from. */
export interface ConfigSources {
  readonly environment: Environment;
  /** Default: `WHERRY_CONFIG`, else `wherry.config.json` in the working directory if there is one. */
  readonly file?: string;
}

/** A configuration, and where it came from. */
export interface LoadedConfig {
  readonly config: WherryConfig;
  /** Where the value of a key came from: a variable, the file, or undefined for the default. */
  readonly originOf: OriginOf;
  /** Variables whose names begin with `WHERRY_` and that are none of the configuration's. */
  readonly ignored: readonly string[];
}

/**
 * Reads the file, puts the environment over it, and checks all of it; what a role needs beside is asked for by the
 * functions of `required.ts`. Errors: `config_invalid`, one line that names the key, the value (never of a secret) and
 * what is allowed.
 */
export function loadConfig({ environment, file }: ConfigSources): LoadedConfig {
  const named = file ?? environment[CONFIG_VARIABLE];
  const path = named ?? DEFAULT_FILE;
  const values = readConfigFile(path, named !== undefined);
  const fromFile = structuredClone(values);
  const fromEnvironment = applyEnvironment(values, environment);
  const originOf: OriginOf = (key) => variableFor(fromEnvironment, key) ?? (isIn(fromFile, key) ? path : undefined);
  const settings = validated(values, originOf);
  checkRules(settings, originOf);
  const config = completed(settings, environment, originOf);
  const dynamic = [
    ...config.shards.list.map(({ name }) => shardVariable(name)),
    ...config.auth.clients.map(({ id }) => clientVariable(id)),
  ];
  return { config, originOf, ignored: refuseUnknownVariables(environment, dynamic) };
}

function completed(settings: Settings, environment: Environment, originOf: OriginOf): WherryConfig {
  const { control, shards, source, gateway, auth, revocation } = settings;
  return {
    ...settings,
    masterKey: masterKeyOf(environment),
    control: { ...control, url: controlUrlOf(environment) },
    shards: { ...shards, list: shardsOf(environment, shards.list) },
    source: {
      ...source,
      url: sourceUrlOf(environment) ?? urlInFile(source.url, originOf),
      cookieSecrets: cookieSecretsOf(environment),
      encryptionSecret: encryptionSecretOf(environment),
    },
    revocation: { ...revocation, streamUrl: streamUrlOf(environment) },
    gateway: { ...gateway, upstreamSecrets: upstreamSecretsOf(environment) },
    auth: { ...auth, operatorSecret: operatorSecretOf(environment), clients: clientsOf(environment, auth.clients) },
  };
}

/** An address without a password may stand in the file. */
function urlInFile(url: string | undefined, originOf: OriginOf): Secret<string> | undefined {
  if (url === undefined) return undefined;
  if (hasCredentials(url)) {
    const origin = originOf('source.url');
    throw configFault({
      key: 'source.url',
      ...(origin === undefined ? {} : { origin }),
      is: 'holds a password, which may not stand in a file',
      allowed: 'WHERRY_SOURCE_URL or WHERRY_SOURCE_URL_FILE',
    });
  }
  return new Secret(url);
}

/** A key below a list that came from a variable came from it too. */
function variableFor(origins: ReadonlyMap<string, string>, key: string): string | undefined {
  return origins.get(key) ?? origins.get(key.replace(/\[.*$/, ''));
}

function isIn(values: unknown, key: string): boolean {
  let at = values;
  for (const name of key.split(/[.[\]]+/).filter((part) => part !== '')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return false;
    at = (at as Record<string, unknown>)[name];
  }
  return true;
}
