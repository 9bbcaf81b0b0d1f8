import { createCipheriv, createDecipheriv, randomFillSync, type Cipheriv, type KeyObject } from 'node:crypto';
import { WherryError, deriveKey } from '@wherry/core';

/** First byte of what is sealed here; other first bytes are other forms. */
export const BATCH_FORMAT = 2;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BLOCK = 16;
const BLOCK_WORDS = 4;
/** Of the associated data: with two bytes for its length in front it stays within one block. */
const PLACE_BYTES = 12;
/** What the first byte of a block says (SP 800-38C, appendix A.2 and A.3): a tag of 16 bytes, associated data, a length of 3 bytes. */
const MAC_FLAGS = 0x40 | (((TAG_BYTES - 2) / 2) << 3) | 2;
const COUNTER_FLAGS = 2;
const HEADER_BYTES = 1 + NONCE_BYTES;

/** A text to seal and the place that it is sealed for, 12 bytes. */
export interface ToSeal {
  readonly plain: Uint8Array;
  readonly place: Uint8Array;
}

/**
 * Seals many short values at once: AES-256-CCM (NIST SP 800-38C) with a nonce of 12 random bytes each. Layout as that of
 * the `Sealer`: a byte for the form, nonce, ciphertext, tag of 16 bytes.
 *
 * Why not one cipher object for each value: making and ending it costs ten times what AES does, and was half of what
 * converting a session cost. CCM is made of nothing but AES of single blocks, so the blocks of all values go through one
 * object that is never ended, those that wait for nothing together, and of the chains one block of each in a turn.
 * Every value is sealed as if it were alone, and OpenSSL's own CCM opens it.
 */
export class BatchSealer {
  readonly #key: KeyObject;
  readonly #blocks: Cipheriv;

  /** `key` has 32 bytes and may serve another cipher: a key of its own is derived from it. */
  constructor(key: KeyObject) {
    this.#key = deriveKey(key.export(), 'source-ref batch');
    this.#blocks = createCipheriv('aes-256-ecb', this.#key, null).setAutoPadding(false);
  }

  /** The sealed forms, in order. */
  seal(values: readonly ToSeal[]): Buffer[] {
    const lengths = values.map(({ plain }) => Math.ceil(plain.length / BLOCK));
    const total = lengths.reduce((sum, length) => sum + length, values.length);
    const nonces = randomFillSync(Buffer.allocUnsafe(values.length * NONCE_BYTES));
    const stream = this.#stream(lengths, total, nonces);
    const tags = this.#tags(values, lengths, nonces);
    // One piece of memory for all: they are written together and let go together.
    const out = Buffer.allocUnsafeSlow(values.reduce((sum, { plain }) => sum + HEADER_BYTES + plain.length + TAG_BYTES, 0));
    let at = 0;
    let block = 0;
    return values.map(({ plain }, index) => {
      const from = at;
      out[at++] = BATCH_FORMAT;
      at += nonces.copy(out, at, index * NONCE_BYTES, (index + 1) * NONCE_BYTES);
      const mask = block * BLOCK;
      for (let i = 0; i < plain.length; i++) out[at++] = (plain[i] as number) ^ (stream[mask + BLOCK + i] as number);
      for (let i = 0; i < TAG_BYTES; i++) out[at++] = (tags[index * BLOCK + i] as number) ^ (stream[mask + i] as number);
      block += 1 + (lengths[index] as number);
      return out.subarray(from, at);
    });
  }

  /** Opens what {@link seal} made for the same place; `sealed_data_invalid` otherwise. */
  open(sealed: Uint8Array, place: Uint8Array): Buffer {
    if (sealed.length < HEADER_BYTES + TAG_BYTES || sealed[0] !== BATCH_FORMAT)
      throw new WherryError('sealed_data_invalid', 'sealed data has an unknown form');
    const body = sealed.subarray(HEADER_BYTES, sealed.length - TAG_BYTES);
    const decipher = createDecipheriv('aes-256-ccm', this.#key, sealed.subarray(1, HEADER_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(place, { plaintextLength: body.length });
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    try {
      // CCM judges the tag while it decrypts.
      return Buffer.concat([decipher.update(body), decipher.final()]);
    } catch (cause) {
      throw new WherryError('sealed_data_invalid', 'sealed data was changed, moved, or belongs to another key', { cause });
    }
  }

  /** The key stream of each value: the block for its tag, then those for its text. */
  #stream(lengths: readonly number[], total: number, nonces: Buffer): Buffer {
    const counters = Buffer.alloc(total * BLOCK);
    let at = 0;
    for (const [index, length] of lengths.entries()) {
      for (let counter = 0; counter <= length; counter++) {
        counters[at] = COUNTER_FLAGS;
        nonces.copy(counters, at + 1, index * NONCE_BYTES, (index + 1) * NONCE_BYTES);
        counters.writeUIntBE(counter, at + HEADER_BYTES, 3);
        at += BLOCK;
      }
    }
    return this.#blocks.update(counters);
  }

  /** The chains' last blocks: of the form, of the place, then of the text. */
  #tags(values: readonly ToSeal[], lengths: readonly number[], nonces: Buffer): Buffer {
    const first = Buffer.alloc(values.length * BLOCK);
    const second = Buffer.alloc(values.length * BLOCK);
    for (const [index, { plain, place }] of values.entries()) {
      const at = index * BLOCK;
      first[at] = MAC_FLAGS;
      nonces.copy(first, at + 1, index * NONCE_BYTES, (index + 1) * NONCE_BYTES);
      first.writeUIntBE(plain.length, at + HEADER_BYTES, 3);
      second.writeUInt16BE(PLACE_BYTES, at);
      second.set(place, at + 2);
    }
    let chain: Buffer = this.#blocks.update(first);
    chain = this.#blocks.update(xor(chain, second));
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    for (let round = 0; round < longest; round++) {
      const next = Buffer.alloc(values.length * BLOCK);
      for (const [index, { plain }] of values.entries()) next.set(plain.subarray(round * BLOCK, (round + 1) * BLOCK), index * BLOCK);
      const all = this.#blocks.update(xor(chain, next));
      // Chains that have ended stay as they are.
      for (const [index, length] of lengths.entries()) {
        if (round >= length) chain.copy(all, index * BLOCK, index * BLOCK, (index + 1) * BLOCK);
      }
      chain = all;
    }
    return chain;
  }
}

/** Into `b`. */
function xor(a: Buffer, b: Buffer): Buffer {
  if (a.byteOffset % 4 !== 0 || b.byteOffset % 4 !== 0) {
    for (let i = 0; i < b.length; i++) b[i] = (a[i] as number) ^ (b[i] as number);
    return b;
  }
  const words = (b.length / BLOCK) * BLOCK_WORDS;
  const from = new Uint32Array(a.buffer, a.byteOffset, words);
  const into = new Uint32Array(b.buffer, b.byteOffset, words);
  for (let i = 0; i < words; i++) into[i] = (from[i] as number) ^ (into[i] as number);
  return b;
}
