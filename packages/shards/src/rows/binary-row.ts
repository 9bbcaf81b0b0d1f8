/** A method of every Buffer, which its types leave out; `toString` comes to it after asking for encoding and bounds. */
interface Utf8Slicing {
  utf8Slice(from: number, to: number): string;
}

/**
 * One row of an answer in PostgreSQL's binary form, read column by column in the order of the statement. It is a view of
 * the bytes as they came: good only while the function that it was given to runs.
 *
 * Message `DataRow`: the number of columns as 16 bits, then for each its length, -1 for NULL, and its bytes. Integers are
 * big-endian (PostgreSQL documentation, "Message Formats").
 */
export class BinaryRow {
  /** Where the column lies that was passed over last. */
  from = 0;
  to = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Turns to the row whose `DataRow` body begins at `at`. */
  begin(bytes: Buffer, at: number): void {
    this.#bytes = bytes;
    this.#at = at + 2;
  }

  /** An `int4` or `int8` that is not NULL and, being a number here, below 2^53. */
  number(): number {
    const bytes = this.#bytes;
    const at = this.#at + 4;
    const length = bytes.readInt32BE(at - 4);
    this.#at = at + length;
    return length === 8 ? bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4) : bytes.readInt32BE(at);
  }

  /** The same, or null. */
  numberOrNull(): number | null {
    return this.#skipNull() ? null : this.number();
  }

  /** An `int8` that is not NULL. */
  bigint(): bigint {
    this.#at += 12;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }

  /** A text that is not NULL. */
  text(): string {
    const at = this.#at + 4;
    const end = at + this.#bytes.readInt32BE(at - 4);
    this.#at = end;
    return (this.#bytes as Buffer & Utf8Slicing).utf8Slice(at, end);
  }

  /** A text or null. */
  textOrNull(): string | null {
    return this.#skipNull() ? null : this.text();
  }

  /** Bytes that are not NULL, as a view: what is kept has to be copied. */
  bytes(): Buffer {
    this.pass();
    return this.#bytes.subarray(this.from, this.to);
  }

  /** A `bool` that is not NULL. */
  boolean(): boolean {
    this.pass();
    return this.#bytes[this.from] === 1;
  }

  /** Goes over a column that is not NULL, whose bytes then lie in `buffer` from `from` to `to`: cheaper than a view of them. */
  pass(): void {
    this.from = this.#at + 4;
    this.to = this.from + this.#bytes.readInt32BE(this.#at);
    this.#at = this.to;
  }

  /** All that has come with this row; see {@link pass}. */
  get buffer(): Buffer {
    return this.#bytes;
  }

  #skipNull(): boolean {
    if (this.#bytes.readInt32BE(this.#at) >= 0) return false;
    this.#at += 4;
    return true;
  }
}
