import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomFillSync, KeyObject } from 'node:crypto';
import { WherryError } from './errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = 1;
/** Nonces drawn at once: asking for randomness costs as much as sealing. */
const NONCES = 256;

/**
 * The key of one purpose, derived from the master key (HKDF-SHA-256, RFC 5869), which it tells nothing about: whoever
 * holds it can open what was sealed for that purpose and nothing else. `masterKey` has 32 bytes; `purpose` names the use,
 * e.g. `source-ref`.
 */
export function deriveKey(masterKey: Uint8Array, purpose: string): KeyObject {
  if (masterKey.length !== 32) throw new WherryError('config_invalid', `the master key has ${masterKey.length} bytes; 32 are needed`);
  return createSecretKey(Buffer.from(hkdfSync('sha256', masterKey, Buffer.alloc(0), `wherry ${purpose}`, 32)));
}

/**
 * Authenticated encryption at rest: AES-256-GCM (NIST SP 800-38D) under the key of one purpose, see
 * {@link deriveKey}. The associated data ties a sealed value to its place: moved to another row, it
 * does not open. Layout: version byte, 12-byte random nonce, ciphertext, 16-byte tag.
 */
export class Sealer {
  /** An object of the library's own: bytes would be examined anew at each use. */
  readonly #key: KeyObject;
  readonly #nonces: Buffer = Buffer.alloc(NONCE_BYTES * NONCES);
  #nextNonce = NONCES;

  /** From the master key, 32 bytes, and a purpose; or from the key that {@link deriveKey} made of the two elsewhere. */
  constructor(masterKey: Uint8Array, purpose: string);
  constructor(derived: KeyObject);
  constructor(key: Uint8Array | KeyObject, purpose = '') {
    this.#key = key instanceof KeyObject ? key : deriveKey(key, purpose);
  }

  /** Seals `plain` for the place that `associated` names. */
  seal(plain: Uint8Array, associated: Uint8Array): Buffer {
    const nonce = this.#nonce();
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associated);
    return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Opens what {@link seal} made for the same place; `sealed_data_invalid` otherwise. */
  open(sealed: Uint8Array, associated: Uint8Array): Buffer {
    if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== FORMAT)
      throw new WherryError('sealed_data_invalid', 'sealed data has an unknown form');
    const body = sealed.subarray(1 + NONCE_BYTES, sealed.length - TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(body), decipher.final()]);
    } catch (cause) {
      throw new WherryError('sealed_data_invalid', 'sealed data does not open: wrong key, wrong place or altered', { cause });
    }
  }

  /** 12 random bytes that were never used; to be read before the next call. */
  #nonce(): Buffer {
    if (this.#nextNonce === NONCES) {
      randomFillSync(this.#nonces);
      this.#nextNonce = 0;
    }
    const from = this.#nextNonce++ * NONCE_BYTES;
    return this.#nonces.subarray(from, from + NONCE_BYTES);
  }
}
