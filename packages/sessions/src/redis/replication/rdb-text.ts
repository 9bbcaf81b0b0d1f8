import { malformed, type ByteReader } from './byte-reader.ts';
import { unpackLzf } from './lzf.ts';

/** A length, or a way in which a text is written that is not plain. */
type Length = { readonly length: number; readonly special?: never } | { readonly length?: never; readonly special: number };

const INTEGER_BYTES = [1, 2, 4] as const;
const LZF = 3;

/** A length as RDB files write it (`rdbLoadLen`). */
export async function readLength(reader: ByteReader): Promise<number> {
  const { length } = await readLengthOrSpecial(reader);
  if (length === undefined) throw malformed('a length is missing');
  return length;
}

/** A text; undefined where it is longer than `most` bytes, which are passed over then. The bytes are the caller's. */
export async function readText(reader: ByteReader, most: number): Promise<Buffer | undefined> {
  const { length, special } = await readLengthOrSpecial(reader);
  if (length !== undefined) {
    if (length > most) {
      await reader.skip(length);
      return undefined;
    }
    return Buffer.from(await reader.take(length));
  }
  if (special === LZF) return readPacked(reader, most);
  const bytes = await reader.take(integerBytes(special));
  return Buffer.from(String(bytes.readIntLE(0, bytes.length)));
}

/** Passes over a text. */
export async function skipText(reader: ByteReader): Promise<void> {
  const { length, special } = await readLengthOrSpecial(reader);
  if (length !== undefined) return reader.skip(length);
  if (special !== LZF) return reader.skip(integerBytes(special));
  const packed = await readLength(reader);
  await readLength(reader);
  await reader.skip(packed);
}

async function readPacked(reader: ByteReader, most: number): Promise<Buffer | undefined> {
  const packed = await readLength(reader);
  const length = await readLength(reader);
  if (length > most || packed > most) {
    await reader.skip(packed);
    return undefined;
  }
  const text = unpackLzf(await reader.take(packed), length);
  if (text === undefined) throw malformed('a packed text');
  return text;
}

function integerBytes(special: number): number {
  const bytes = INTEGER_BYTES[special];
  if (bytes === undefined) throw malformed('a text of a form that is not known');
  return bytes;
}

async function readLengthOrSpecial(reader: ByteReader): Promise<Length> {
  const first = await reader.byte();
  switch (first >> 6) {
    case 0:
      return { length: first & 0x3f };
    case 1:
      return { length: ((first & 0x3f) << 8) | (await reader.byte()) };
    case 2: {
      if (first === 0x80) return { length: (await reader.take(4)).readUInt32BE(0) };
      if (first !== 0x81) throw malformed('a length of a form that is not known');
      // Ids of streams and times are written so too, and may be larger than any length.
      return { length: Number((await reader.take(8)).readBigUInt64BE(0)) };
    }
    default:
      return { special: first & 0x3f };
  }
}
