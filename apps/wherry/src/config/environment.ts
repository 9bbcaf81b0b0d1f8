import { configFault } from './fault.ts';
import type { Environment } from './secrets.ts';
import { suggestion } from './suggestion.ts';
import { SETTINGS, valueOf } from './variables.ts';

/** Variables that a secret is read from, those of shards and clients apart. Each has a twin that ends in `_FILE`. */
export const SECRET_VARIABLES = {
  masterKey: 'WHERRY_MASTER_KEY',
  'control.url': 'WHERRY_CONTROL_URL',
  'shards.urls': 'WHERRY_SHARDS_URLS',
  'source.url': 'WHERRY_SOURCE_URL',
  'source.cookieSecrets': 'WHERRY_SOURCE_COOKIE_SECRETS',
  'source.encryptionSecret': 'WHERRY_SOURCE_ENCRYPTION_SECRET',
  'auth.operatorSecret': 'WHERRY_AUTH_OPERATOR_SECRET',
  'revocation.streamUrl': 'WHERRY_REVOCATION_STREAM_URL',
  'gateway.upstreamSecret': 'WHERRY_GATEWAY_UPSTREAM_SECRET',
} as const;

/** What a wrapped application reads; no role does. */
export const APPLICATION_VARIABLE = 'WHERRY_SOURCE_REF_KEY';

/** Names the file. */
export const CONFIG_VARIABLE = 'WHERRY_CONFIG';

const SECTION = /^WHERRY_(MASTER|CONTROL|SHARDS|SOURCE|TOKENS|SESSIONS|GATEWAY|AUTH|PASSWORDS|REVOCATION|ROLLOUT|MIGRATOR|LOG)_/;
/** Kubernetes sets these for a service whose name begins with `wherry`. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP)/;

/**
 * Puts the values of the environment over those of the file, in place, and answers which variable each key came from.
 * A variable of a type that does not fit is left for the schema to refuse.
 */
export function applyEnvironment(values: Record<string, unknown>, environment: Environment): Map<string, string> {
  const origins = new Map<string, string>();
  for (const { path, key, variable, schema } of SETTINGS) {
    const text = environment[variable];
    if (text === undefined || variable === SECRET_VARIABLES['source.url']) continue;
    put(values, path, valueOf(text, schema));
    origins.set(key, variable);
  }
  return origins;
}

/** Sets a value below objects. Where something else stands in the way it stays, and the schema refuses it. */
function put(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    values[name] = value;
    return;
  }
  const inner = (values[name] ??= {});
  if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) put(inner as Record<string, unknown>, rest, value);
}

/**
 * Refuses variables that look like settings and are none: a misspelt one would be silently without effect. `dynamic` are
 * the names that follow from shards and clients. Answers the names that were passed over. Errors: `config_invalid`.
 */
export function refuseUnknownVariables(environment: Environment, dynamic: readonly string[]): readonly string[] {
  const secrets = [...Object.values(SECRET_VARIABLES), ...dynamic];
  const known = new Set([
    CONFIG_VARIABLE,
    ...SETTINGS.map(({ variable }) => variable),
    ...secrets,
    ...secrets.map((name) => `${name}_FILE`),
  ]);
  const ignored: string[] = [];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('WHERRY_') || known.has(name) || environment[name] === undefined) continue;
    const near = suggestion(name, [...known]);
    // An environment that is shared with the application is no mistake of the operator's.
    const applications = name === APPLICATION_VARIABLE || name === `${APPLICATION_VARIABLE}_FILE`;
    if (applications || SERVICE_LINK.test(name) || (!SECTION.test(name) && near === '')) {
      ignored.push(name);
      continue;
    }
    const plain = name.replace(/_FILE$/, '');
    if (plain !== name && known.has(plain))
      throw configFault({ key: name, is: 'is not a setting: what is no secret is not read from a file', allowed: plain });
    throw configFault({
      key: name,
      is: `is not a setting${near}`,
      allowed: 'WHERRY_SECTION_KEY for a key of the schema (wherry config schema)',
    });
  }
  return ignored;
}
