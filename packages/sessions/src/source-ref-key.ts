import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { WherryError, deriveKey } from '@wherry/core';

/** Tells the text from the master key, which has as many bytes: neither is taken for the other. */
const PREFIX = 'srk1.';
const KEY_BYTES = 32;

/** The key that carried-over ids are sealed under, of a master key of 32 bytes. It opens nothing else that the master key seals. */
export function sourceRefKeyOf(masterKey: Uint8Array): KeyObject {
  return deriveKey(masterKey, 'source-ref');
}

/** The key as the text that a wrapped application is given: `srk1.` and 32 bytes in base64url. A secret. */
export function sourceRefKeyText(key: KeyObject): string {
  return `${PREFIX}${key.export().toString('base64url')}`;
}

/** Reads what {@link sourceRefKeyText} wrote. Errors: `config_invalid`, without the text. */
export function parseSourceRefKey(text: string): KeyObject {
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
  if (!text.startsWith(PREFIX) || bytes.length !== KEY_BYTES || `${PREFIX}${bytes.toString('base64url')}` !== text)
    throw new WherryError('config_invalid', `the source-ref key has another form; allowed is what "wherry config app-key" gives out`);
  return createSecretKey(bytes);
}

/** 8 hexadecimal digits by which people can tell whether two keys are the same one. They are no secret. */
export function sourceRefKeyFingerprint(key: KeyObject): string {
  return createHash('sha256').update('wherry source-ref fingerprint').update(key.export()).digest('hex').slice(0, 8);
}
