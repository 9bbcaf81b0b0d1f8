import { WherryError } from '@wherry/core';

/** What bytes are read from: a socket, paused while nobody asks. */
export type ByteSource = AsyncIterator<Buffer>;

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Reads a stream of bytes in exact portions and counts them. It holds no more than one portion and the last chunk of the
 * source, and asks for more only when somebody reads: that is the back pressure. The end of the source is
 * `source_unavailable`.
 */
export class ByteReader {
  readonly #source: ByteSource;
  #tap: ((bytes: Uint8Array) => void) | undefined;
  #buffer: Buffer = NOTHING;
  #at = 0;
  #count = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** From now on `tap` is shown every byte that is consumed; undefined: nobody is. */
  showTo(tap: ((bytes: Uint8Array) => void) | undefined): void {
    this.#tap = tap;
  }

  /** Bytes consumed so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that can be read without waiting. */
  get available(): number {
    return this.#buffer.length - this.#at;
  }

  /** `length` bytes, valid until the next reading of anything: who keeps them copies them. */
  async take(length: number): Promise<Buffer> {
    if (this.available < length) await this.#fill(length);
    return this.#consume(length);
  }

  /** One byte. */
  async byte(): Promise<number> {
    return (await this.take(1)).readUInt8(0);
  }

  /** Text up to CR LF, which is consumed; a line longer than `most` bytes is no line of this protocol. */
  async line(most = 4096): Promise<string> {
    for (let searched = 0; ;) {
      const end = this.#buffer.indexOf('\r\n', this.#at + searched, 'latin1');
      if (end >= 0) {
        const text = this.#consume(end - this.#at).toString('latin1');
        this.#consume(2);
        return text;
      }
      if (this.available > most) throw malformed('a line without an end');
      // The CR may be there and its LF not.
      searched = Math.max(0, this.available - 1);
      await this.#fill(this.available + 1);
    }
  }

  /** Passes over `length` bytes without holding them. */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) {
      if (this.available === 0) await this.#fill(1);
      const now = Math.min(left, this.available);
      this.#consume(now);
      left -= now;
    }
  }

  /** Passes over everything up to the end of `mark`. */
  async skipPast(mark: Buffer): Promise<void> {
    for (;;) {
      const found = this.#buffer.indexOf(mark, this.#at);
      if (found >= 0) {
        this.#consume(found + mark.length - this.#at);
        return;
      }
      // The mark may have begun at the end of what is here.
      this.#consume(Math.max(0, this.available - mark.length + 1));
      await this.#fill(this.available + 1);
    }
  }

  #consume(length: number): Buffer {
    const bytes = this.#buffer.subarray(this.#at, this.#at + length);
    this.#at += length;
    this.#count += length;
    this.#tap?.(bytes);
    return bytes;
  }

  /** Joined once at the end: a large portion comes in many chunks. */
  async #fill(length: number): Promise<void> {
    const chunks: Buffer[] = [this.#buffer.subarray(this.#at)];
    let held = this.available;
    while (held < length) {
      const next = await this.#source.next();
      if (next.done === true) throw new WherryError('source_unavailable', 'Redis has ended the replication connection');
      chunks.push(next.value);
      held += next.value.length;
    }
    this.#buffer = chunks.length === 1 ? (chunks[0] ?? NOTHING) : Buffer.concat(chunks, held);
    this.#at = 0;
  }
}

/** What comes is not of the protocol: a fault of the way, or of a server that we do not know. */
export function malformed(what: string): WherryError {
  return new WherryError('source_unavailable', `Redis' replication stream cannot be read: ${what}`, { data: { malformed: what } });
}
