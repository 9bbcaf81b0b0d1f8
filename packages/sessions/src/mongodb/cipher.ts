import { createCipheriv, createDecipheriv, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { WherryError } from '@wherry/core';
import { readOctetStrings, writeOctetStrings } from './octet-strings.ts';

/** How an application encrypts the text of its sessions. */
export interface SessionCipher {
  encrypt(plain: string): Promise<string>;
  /** Rejects what is none of its own, or was changed. */
  decrypt(text: string): Promise<string>;
}

const derive = promisify(pbkdf2);
const KEY_BYTES = 32;
const TAG_BYTES = 16;

const KRUPTEIN_ROUNDS = 15_000;
const KRUPTEIN_SALT_BYTES = 128;
const KRUPTEIN_IV_BYTES = 12;
const KRUPTEIN_HASH = 'sha512';

/**
 * The cipher of connect-mongo's option `crypto: {secret}`, with its defaults: the package kruptein 3, AES-256-GCM under
 * a key of PBKDF2 (SHA-512, 15,000 rounds, a salt for each text), an HMAC of the cipher text beside it, all as octet
 * strings in one DER sequence in base64. The text is encrypted as a JSON string.
 */
export function krupteinCipher(secret: string): SessionCipher {
  const digest = (key: Buffer, text: string): string => createHmac(KRUPTEIN_HASH, key).update(text).digest('base64');
  return {
    encrypt: async (plain) => {
      const salt = randomBytes(KRUPTEIN_SALT_BYTES);
      const iv = randomBytes(KRUPTEIN_IV_BYTES);
      const key = await derive(secret, salt, KRUPTEIN_ROUNDS, KEY_BYTES, KRUPTEIN_HASH);
      const text = JSON.stringify(plain);
      const aad = digest(randomBytes(KRUPTEIN_SALT_BYTES), text);
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(aad, 'base64'));
      const ct = cipher.update(text, 'utf8', 'base64') + cipher.final('base64');
      const hmac = digest(key, ct);
      return writeOctetStrings([ct, hmac, iv, salt, cipher.getAuthTag(), aad]).toString('base64');
    },
    decrypt: async (text) => {
      const [ct, hmac, iv, salt, tag, aad] = readOctetStrings(Buffer.from(text, 'base64'));
      if (!ct || !hmac || !iv || !salt || !tag || !aad || tag.length !== TAG_BYTES) throw refused();
      const key = await derive(secret, salt, KRUPTEIN_ROUNDS, KEY_BYTES, KRUPTEIN_HASH);
      const expected = Buffer.from(digest(key, ct.toString('latin1')));
      if (expected.length !== hmac.length || !timingSafeEqual(expected, hmac)) throw refused();
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(aad.toString('latin1'), 'base64')).setAuthTag(tag);
      return decipher.update(ct.toString('latin1'), 'base64', 'utf8') + decipher.final('utf8');
    },
  };
}

const WEB_ROUNDS = 310_000;
const WEB_SALT = 'connect-mongo:webcrypto-default-salt';
const WEB_IV_BYTES = 12;

/**
 * The cipher of connect-mongo's `createWebCryptoAdapter({secret})`, with its defaults: AES-256-GCM under one key of
 * PBKDF2 (SHA-256, 310,000 rounds), initialisation vector, cipher text and tag in base64.
 */
export function webCryptoCipher(secret: string): SessionCipher {
  let made: Promise<Buffer> | undefined;
  const key = (): Promise<Buffer> => (made ??= derive(secret, WEB_SALT, WEB_ROUNDS, KEY_BYTES, 'sha256'));
  return {
    encrypt: async (plain) => {
      const iv = randomBytes(WEB_IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', await key(), iv);
      return Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
    },
    decrypt: async (text) => {
      const bytes = Buffer.from(text, 'base64');
      if (bytes.length < WEB_IV_BYTES + TAG_BYTES) throw refused();
      const decipher = createDecipheriv('aes-256-gcm', await key(), bytes.subarray(0, WEB_IV_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(WEB_IV_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
    },
  };
}

function refused(): WherryError {
  return new WherryError('session_undecodable', 'the stored session is not encrypted under this secret');
}
