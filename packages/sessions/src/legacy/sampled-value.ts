import { bytesOfText, textOfBytes } from '../source/text-of-bytes.ts';
import type { SessionFormat } from './format.ts';

/** A value out of a sample, in the form in which the source of any format would have handed it over. */
export class SampledValue {
  readonly #text: string;
  /** undefined: it was handed over as text. */
  readonly #bytes: Buffer | undefined;

  constructor(value: string) {
    const bytes = bytesOfText(value);
    // A session that is JSON itself may have a member of that name among others.
    this.#bytes = bytes !== undefined && textOfBytes(bytes) === value ? bytes : undefined;
    this.#text = value;
  }

  /** In bytes, as it lies in the store. */
  get length(): number {
    return this.#bytes?.length ?? Buffer.byteLength(this.#text);
  }

  /** As the source of such a format hands it over. */
  as({ bytes = false }: Pick<SessionFormat, 'bytes'>): string {
    if (bytes) return this.#bytes === undefined ? textOfBytes(Buffer.from(this.#text, 'utf8')) : this.#text;
    return this.#bytes?.toString('utf8') ?? this.#text;
  }
}
