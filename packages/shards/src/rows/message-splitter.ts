import { BinaryRow } from './binary-row.ts';

/** Is given each row as it comes. */
export type RowReader = (row: BinaryRow) => void;

/** Type and length of a message; the length counts itself and not the type. */
const HEADER_BYTES = 5;
const DATA_ROW = 0x44;
const READY_FOR_QUERY = 0x5a;

/**
 * Reads the messages of a server (PostgreSQL documentation, "Message Flow"): while a statement reads its rows itself they
 * go to it straight from the bytes, and everything else goes to the driver as it came. The driver would make an object, an
 * array and a text for each row and value, and an event for each row.
 */
export class MessageSplitter {
  readonly #others: (bytes: Buffer) => void;
  readonly #row = new BinaryRow();
  #reader: RowReader | undefined;
  /** The beginning of a message whose end has not come, how long that is, and with how many bytes it is worth looking again. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #enough = 0;

  /** `others` is given whole messages, several at a time. */
  constructor(others: (bytes: Buffer) => void) {
    this.#others = others;
  }

  /** The rows of the statement that is sent now go to `reader`, which must not throw, until the server is ready for another one. */
  readBy(reader: RowReader): void {
    this.#reader = reader;
  }

  /** Takes what has come over the connection. */
  take(chunk: Buffer): void {
    const bytes = this.#joined(chunk);
    if (bytes === undefined) return;
    /** Where the messages begin that go to the driver and have not yet. */
    let from = 0;
    let at = 0;
    while (at + HEADER_BYTES <= bytes.length) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      const type = bytes[at];
      if (type === DATA_ROW && this.#reader !== undefined) {
        if (from < at) this.#others(bytes.subarray(from, at));
        this.#row.begin(bytes, at + HEADER_BYTES);
        this.#reader(this.#row);
        from = end;
      } else if (type === READY_FOR_QUERY) {
        this.#reader = undefined;
        // At once: the driver may send the next statement on it, which then is the one whose rows come.
        this.#others(bytes.subarray(from, end));
        from = end;
      }
      at = end;
    }
    if (from < at) this.#others(bytes.subarray(from, at));
    if (at === bytes.length) return;
    this.#rest = [bytes.subarray(at)];
    this.#restBytes = bytes.length - at;
    this.#enough = this.#restBytes < HEADER_BYTES ? HEADER_BYTES : 1 + bytes.readUInt32BE(at + 1);
  }

  /** What has come with what was left before it; undefined while a message is still incomplete. A long one is joined once, not with each piece. */
  #joined(chunk: Buffer): Buffer | undefined {
    if (this.#restBytes === 0) return chunk;
    this.#rest.push(chunk);
    this.#restBytes += chunk.length;
    if (this.#restBytes < this.#enough) return undefined;
    const bytes = Buffer.concat(this.#rest, this.#restBytes);
    this.#rest = [];
    this.#restBytes = 0;
    return bytes;
  }
}
