import { open } from 'node:fs/promises';
import { WherryError } from '@wherry/core';
import { readImportedKey, type ImportedKey } from '@wherry/tokens';

/** What the command line says of the key in a file. */
export interface KeyFileOptions {
  readonly kid?: string;
  readonly verifyOnly?: true;
}

const LONGEST_FILE = 65_536;
const OTHERS = 0o077;

/**
 * Reads a key from a file. `warning`: others on this machine can read a private key. Errors: `bad_request` for a file
 * that cannot be read, `signing_key_invalid`; none holds anything of the key.
 */
export async function readKeyFile(
  path: string,
  options: KeyFileOptions,
): Promise<{ readonly key: ImportedKey; readonly warning?: string }> {
  const { text, mode } = await read(path);
  const { kid, verifyOnly = false } = options;
  const key = readImportedKey(text, { ...(kid === undefined ? {} : { kid }), verifyOnly });
  const secret = key.privateKey !== undefined || readImportedKey(text, { kid: 'any' }).privateKey !== undefined;
  if (!secret || process.platform === 'win32' || (mode & OTHERS) === 0) return { key };
  return {
    key,
    warning: `wherry: ${path} holds a private key and others can read it (mode ${(mode & 0o777).toString(8)}); chmod 600 it, or delete it`,
  };
}

async function read(path: string): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    const file = await open(path);
    try {
      const { mode, size } = await file.stat();
      if (size > LONGEST_FILE) throw new WherryError('bad_request', `${path} has ${size} bytes; no key has more than ${LONGEST_FILE}`);
      return { text: await file.readFile('utf8'), mode };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof WherryError) throw error;
    throw new WherryError(
      'bad_request',
      `${path} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'}`,
      { cause: error },
    );
  }
}
