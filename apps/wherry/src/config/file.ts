import { readFileSync } from 'node:fs';
import { duplicateKey } from './duplicate-key.ts';
import { configFault, shown } from './fault.ts';

/** Where the configuration is looked for when nothing else is said. */
export const DEFAULT_FILE = 'wherry.config.json';

/** Largest file that is read, in bytes. */
const LARGEST_FILE = 1_048_576;

/** Keys of secrets; a file has no place for them. Lists are left out of the path: `auth.clients.secret`. */
const SECRET_KEYS: Readonly<Record<string, string>> = {
  masterKey: 'WHERRY_MASTER_KEY or WHERRY_MASTER_KEY_FILE',
  'control.url': 'WHERRY_CONTROL_URL or WHERRY_CONTROL_URL_FILE',
  'shards.urls': 'WHERRY_SHARDS_URLS or WHERRY_SHARDS_URLS_FILE',
  'shards.list.url': 'WHERRY_SHARDS_<NAME>_URL or WHERRY_SHARDS_<NAME>_URL_FILE',
  'source.cookieSecrets': 'WHERRY_SOURCE_COOKIE_SECRETS or WHERRY_SOURCE_COOKIE_SECRETS_FILE',
  'source.encryptionSecret': 'WHERRY_SOURCE_ENCRYPTION_SECRET or WHERRY_SOURCE_ENCRYPTION_SECRET_FILE',
  'gateway.upstreamSecret': 'WHERRY_GATEWAY_UPSTREAM_SECRET or WHERRY_GATEWAY_UPSTREAM_SECRET_FILE',
  'auth.clients.secret': 'WHERRY_AUTH_CLIENT_<ID>_SECRET or WHERRY_AUTH_CLIENT_<ID>_SECRET_FILE',
};

/**
 * Reads the file. `required`: it was named, so it must be there. Errors: `config_invalid` when it cannot be read, is
 * not a JSON object, or holds a secret.
 */
export function readConfigFile(file: string, required: boolean): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    if (reason === 'ENOENT' && !required) return {};
    throw configFault({
      key: 'the configuration file',
      origin: file,
      is: `cannot be read (${reason})`,
      allowed: 'the path of a readable file',
    });
  }
  if (text.length > LARGEST_FILE)
    throw configFault({
      key: 'the configuration file',
      origin: file,
      is: 'is too large',
      allowed: `a file of up to ${LARGEST_FILE} bytes`,
    });
  const values = parsed(text, file);
  refuseSecrets(values, file, '', '');
  // For editors; it configures nothing.
  delete values['$schema'];
  return values;
}

function parsed(text: string, file: string): Record<string, unknown> {
  // A byte order mark is what some editors leave behind.
  const json = text.replace(/^\uFEFF/, '');
  let values: unknown;
  try {
    values = JSON.parse(json);
  } catch (error) {
    throw configFault({ key: 'the configuration file', origin: file, is: `is not JSON${placeOf(error, json)}`, allowed: 'a JSON object' });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw configFault({ key: 'the configuration file', origin: file, is: 'holds no object', allowed: 'a JSON object' });
  }
  const twice = duplicateKey(json);
  if (twice !== undefined)
    throw configFault({
      key: 'the configuration file',
      origin: file,
      is: `has the key ${shown(twice)} twice in one object`,
      allowed: 'each key once',
    });
  return values as Record<string, unknown>;
}

/** Line and column from the parser's message. The message itself quotes the text, which may hold a secret. */
function placeOf(error: unknown, text: string): string {
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
  if (position === undefined) return '';
  const lines = text.slice(0, Number(position)).split('\n');
  return ` at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

function refuseSecrets(value: unknown, file: string, path: string, key: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    const inList = Array.isArray(value);
    const partPath = inList ? path : path === '' ? name : `${path}.${name}`;
    const partKey = inList ? `${key}[${name}]` : key === '' ? name : `${key}.${name}`;
    const variables = Object.hasOwn(SECRET_KEYS, partPath) ? SECRET_KEYS[partPath] : undefined;
    if (variables !== undefined)
      throw configFault({ key: partKey, origin: file, is: 'is a secret, which may not stand in a file', allowed: variables });
    refuseSecrets(part, file, partPath, partKey);
  }
}
