import { POSTGRES_URL_RULE, isPostgresUrl, shardAddresses } from '@wherry/shards';
import { configFault } from './fault.ts';
import type { ClientConfig, ShardConfig } from './config.ts';
import { SECRET_VARIABLES } from './environment.ts';
import { Secret } from './secret.ts';
import { readSecret, secretList, type Environment } from './secrets.ts';
import type { ClientEntry } from './sections/auth.ts';
import { SOURCE_URL_ALLOWED, parseSourceUrl } from './source-url.ts';
import { variableOf } from './variables.ts';

// Nothing here shows a value: what is not a valid secret may still be most of one.

const MASTER_KEY_BYTES = 32;
const LEAST_UPSTREAM_SECRET_BYTES = 32;
const LEAST_CLIENT_SECRET_LENGTH = 16;
const LEAST_OPERATOR_SECRET_LENGTH = 24;

type Key = keyof typeof SECRET_VARIABLES;

/** The master key: 32 bytes in base64. */
export function masterKeyOf(environment: Environment): Secret<Buffer> | undefined {
  const text = read(environment, 'masterKey');
  if (text === undefined) return undefined;
  const key = Buffer.from(text, 'base64');
  if (key.length !== MASTER_KEY_BYTES || key.toString('base64').replace('=', '') !== text.replace('=', '')) {
    throw fault('masterKey', 'is not a key', '32 bytes in base64, e.g. from: openssl rand -base64 32');
  }
  return new Secret(key);
}

/** The address of the control database. */
export function controlUrlOf(environment: Environment): Secret<string> | undefined {
  const url = read(environment, 'control.url');
  if (url !== undefined && !isPostgresUrl(url)) throw fault('control.url', 'is not an address', POSTGRES_URL_RULE);
  return url === undefined ? undefined : new Secret(url);
}

/** The address of the source, where it comes from the environment. */
export function sourceUrlOf(environment: Environment): Secret<string> | undefined {
  const url = read(environment, 'source.url');
  if (url !== undefined && parseSourceUrl(url) === undefined) throw fault('source.url', 'is not an address', SOURCE_URL_ALLOWED);
  return url === undefined ? undefined : new Secret(url);
}

/** The address of the Redis with the stream of revocations. */
export function streamUrlOf(environment: Environment): Secret<string> | undefined {
  const url = read(environment, 'revocation.streamUrl');
  const address = url === undefined ? undefined : parseSourceUrl(url);
  if (url !== undefined && (address?.kind !== 'redis' || address.group !== undefined))
    throw fault('revocation.streamUrl', 'is not an address', 'redis://host:port or rediss://host:port, with a password where there is one');
  return url === undefined ? undefined : new Secret(url);
}

/** The secrets that sign the source's cookie. */
export function cookieSecretsOf(environment: Environment): Secret<readonly string[]> | undefined {
  return listOf(environment, 'source.cookieSecrets', 'texts with commas between, or a JSON list of texts', (secret) => secret !== '');
}

/** The secret that the application encrypts its sessions under. Whatever it is, it is theirs. */
export function encryptionSecretOf(environment: Environment): Secret<string> | undefined {
  const secret = read(environment, 'source.encryptionSecret');
  return secret === undefined ? undefined : new Secret(secret);
}

/** The secrets that sign identity headers. */
export function upstreamSecretsOf(environment: Environment): Secret<readonly string[]> | undefined {
  const allowed = `texts of ${LEAST_UPSTREAM_SECRET_BYTES} bytes and more with commas between, or a JSON list of them`;
  return listOf(environment, 'gateway.upstreamSecret', allowed, (secret) => Buffer.byteLength(secret) >= LEAST_UPSTREAM_SECRET_BYTES);
}

/** The bearer of the operator's routes. */
export function operatorSecretOf(environment: Environment): Secret<string> | undefined {
  const secret = read(environment, 'auth.operatorSecret');
  if (secret !== undefined && !new RegExp(`^[\\x21-\\x7e]{${LEAST_OPERATOR_SECRET_LENGTH},}$`).test(secret))
    throw fault('auth.operatorSecret', 'is not a secret', `${LEAST_OPERATOR_SECRET_LENGTH} and more printable characters without spaces`);
  return secret === undefined ? undefined : new Secret(secret);
}

/** The variable that holds the secret of one client. */
export function clientVariable(id: string): string {
  return variableOf('auth', 'client', id, 'secret');
}

/** The shards with their addresses, from one variable for all or one for each. */
export function shardsOf(environment: Environment, list: readonly { readonly name: string }[]): readonly ShardConfig[] {
  const names = list.map(({ name }) => name);
  return shardAddresses(names, (variable, key) => readSecret(environment, key, variable)).map(({ name, url }) => ({
    name,
    url: url === undefined ? undefined : new Secret(url),
  }));
}

/** The clients with their secrets. */
export function clientsOf(environment: Environment, clients: readonly ClientEntry[]): readonly ClientConfig[] {
  return clients.map((client) => {
    const key = `auth.clients.${client.id}.secret`;
    const variable = clientVariable(client.id);
    const secret = readSecret(environment, key, variable);
    if (secret === undefined) return { ...client, secret };
    if (client.public)
      throw configFault({ key, origin: variable, is: 'is set for a public client', allowed: 'no secret, or public: false' });
    if (secret.length < LEAST_CLIENT_SECRET_LENGTH) {
      throw configFault({
        key,
        origin: variable,
        is: 'is too short',
        allowed: `a text of ${LEAST_CLIENT_SECRET_LENGTH} characters and more`,
      });
    }
    return { ...client, secret: new Secret(secret) };
  });
}

function read(environment: Environment, key: Key): string | undefined {
  return readSecret(environment, key, SECRET_VARIABLES[key]);
}

function listOf(
  environment: Environment,
  key: Key,
  allowed: string,
  accepts: (secret: string) => boolean,
): Secret<readonly string[]> | undefined {
  const text = read(environment, key);
  if (text === undefined) return undefined;
  const list = secretList(text);
  if (list === undefined || list.length === 0 || !list.every(accepts)) throw fault(key, 'is not a list of secrets', allowed);
  return new Secret(list);
}

function fault(key: Key, is: string, allowed: string): Error {
  return configFault({ key, origin: SECRET_VARIABLES[key], is, allowed });
}
