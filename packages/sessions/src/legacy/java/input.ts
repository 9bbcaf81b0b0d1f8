import { StructureFault } from '../structure-decoder.ts';

/** A run of bytes read from its start to its end; whatever would lie beyond the end is refused before it is taken. */
export class JavaInput {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next byte, not taken; -1 at the end. */
  peek(): number {
    return this.#bytes[this.#at] ?? -1;
  }

  take(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  i8(): number {
    return this.#bytes.readInt8(this.#advance(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  i16(): number {
    return this.#bytes.readInt16BE(this.#advance(2));
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  i64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  f32(): number {
    return this.#bytes.readFloatBE(this.#advance(4));
  }

  f64(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** A text behind its length in two bytes. */
  utf(): string {
    return modifiedUtf8(this.take(this.u16()));
  }

  /** A text behind its length in eight bytes. */
  longUtf(): string {
    const length = this.i64();
    if (length < 0n || length > BigInt(this.left)) throw beyond();
    return modifiedUtf8(this.take(Number(length)));
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length > this.left) throw beyond();
    this.#at += length;
    return start;
  }
}

/**
 * Modified UTF-8 (java.io.DataInput): NUL takes two bytes, and characters past U+FFFF are two surrogates of three bytes
 * each, which need not come in pairs.
 */
function modifiedUtf8(bytes: Buffer): string {
  const units = new Uint16Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] as number;
    if (first < 0x80) {
      units[length++] = first;
      at += 1;
    } else if (first >> 5 === 0b110) {
      units[length++] = ((first & 0x1f) << 6) | follower(bytes, at + 1);
      at += 2;
    } else if (first >> 4 === 0b1110) {
      units[length++] = ((first & 0x0f) << 12) | (follower(bytes, at + 1) << 6) | follower(bytes, at + 2);
      at += 3;
    } else throw notUtf();
  }
  return Buffer.from(units.buffer, 0, length * 2).toString('utf16le');
}

function follower(bytes: Buffer, at: number): number {
  const byte = bytes[at] ?? 0;
  if (byte >> 6 !== 0b10) throw notUtf();
  return byte & 0x3f;
}

function notUtf(): StructureFault {
  return new StructureFault('malformed', 'a text of the Java stream is no modified UTF-8');
}

function beyond(): StructureFault {
  return new StructureFault('malformed', 'the Java stream ends too early');
}
