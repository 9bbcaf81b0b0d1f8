import { readClientKeys, type ClientJwk } from '@wherry/auth';
import { readFileSync } from 'node:fs';
import { configFault } from './fault.ts';
import type { ClientEntry } from './sections/auth.ts';

/** Largest file that keys are read from, in bytes. */
const LARGEST_FILE = 65_536;
const ALLOWED = 'a JWK set of 1 to 10 public keys for ES256, RS256 (2048 bits and more) or EdDSA';

/**
 * The public keys of a client, from the configuration or from its file; undefined: it has none. Errors: `config_invalid`
 * for a file that cannot be read, and for a key that cannot be used; no value is shown, which may be a private key.
 */
export function clientKeys({ id, jwks, jwksFile }: ClientEntry): readonly ClientJwk[] | undefined {
  if (jwks === undefined && jwksFile === undefined) return undefined;
  const key = `auth.clients.${id}.${jwksFile === undefined ? 'jwks' : 'jwksFile'}`;
  const keys = jwksFile === undefined ? (jwks?.keys ?? []).map((entry) => ({ ...entry })) : keysInFile(jwksFile, key);
  try {
    readClientKeys(keys);
  } catch (error) {
    throw configFault({ key, is: `cannot be used: ${error instanceof Error ? error.message : 'no keys'}`, allowed: ALLOWED });
  }
  return keys;
}

function keysInFile(file: string, key: string): readonly ClientJwk[] {
  let set: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    set = text.length > LARGEST_FILE ? undefined : JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'not JSON';
    throw configFault({ key, is: `names a file that cannot be read (${reason})`, allowed: 'the path of a readable file' });
  }
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(keys) || !keys.every((entry) => typeof entry === 'object' && entry !== null))
    throw configFault({ key, is: 'names a file without keys', allowed: ALLOWED });
  return keys as readonly ClientJwk[];
}
