import { StructureFault } from './structure-decoder.ts';

/** Reads bytes from front to back. Whatever ends too early is `malformed`. */
export class ByteCursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next `length` bytes; nothing is copied, so a length that is made up costs nothing. */
  take(length: number): Buffer {
    if (!(length <= this.#bytes.length - this.#at)) throw new StructureFault('malformed', 'it ends too early');
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  /** A little-endian number of `size` bytes; past 2^53 more than any input has. */
  length(size: 1 | 2 | 4 | 8): number {
    const bytes = this.take(size);
    return size === 8 ? Number(bytes.readBigUInt64LE()) : bytes.readUIntLE(0, size);
  }

  /** The bytes up to the next line feed, which is passed over. */
  line(): Buffer {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw new StructureFault('malformed', 'a line does not end');
    const line = this.take(end - this.#at);
    this.#at++;
    return line;
  }
}
