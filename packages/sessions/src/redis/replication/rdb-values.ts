import { malformed, type ByteReader } from './byte-reader.ts';
import { readLength, skipText } from './rdb-text.ts';

/** Types of values (Redis `rdb.h`), by how they are passed over. */
const ONE_TEXT: ReadonlySet<number> = new Set([0, 9, 10, 11, 12, 13, 16, 17, 20, 23]);
const TEXTS: ReadonlySet<number> = new Set([1, 2, 14]);
const STREAMS: ReadonlyMap<number, 1 | 2 | 3> = new Map([
  [15, 1],
  [19, 2],
  [21, 3],
]);

/** Passes over a value of `type`; throws `source_unavailable` for a type that is not known. */
export async function skipValue(reader: ByteReader, type: number | 'module'): Promise<void> {
  if (type === 'module') return skipModule(reader);
  if (ONE_TEXT.has(type)) return skipText(reader);
  if (TEXTS.has(type)) return times(reader, () => skipText(reader));
  const stream = STREAMS.get(type);
  if (stream !== undefined) return skipStream(reader, stream);
  switch (type) {
    case 3:
      return times(reader, () => skipScored(reader));
    case 4:
      return times(reader, () => skipTexts(reader, 2));
    case 5:
      return times(reader, async () => {
        await skipText(reader);
        await reader.skip(8);
      });
    case 7:
      await readLength(reader);
      return skipModule(reader);
    case 18:
      return times(reader, async () => {
        await readLength(reader);
        await skipText(reader);
      });
    // A hash whose fields have lives of their own; 22 is the same before its release, without the earliest of them.
    case 24:
      await reader.skip(8);
      return skipFieldsWithLives(reader);
    case 22:
      return skipFieldsWithLives(reader);
    case 25:
      await reader.skip(8);
      return skipText(reader);
    default:
      throw malformed(`the snapshot holds a value of type ${type}, which is not known`);
  }
}

async function times(reader: ByteReader, skip: () => Promise<void>): Promise<void> {
  for (let left = await readLength(reader); left > 0; left--) await skip();
}

async function skipTexts(reader: ByteReader, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await skipText(reader);
}

function skipFieldsWithLives(reader: ByteReader): Promise<void> {
  return times(reader, async () => {
    await readLength(reader);
    await skipTexts(reader, 2);
  });
}

/** A member and its score as text, of which three lengths stand for infinities and what is no number. */
async function skipScored(reader: ByteReader): Promise<void> {
  await skipText(reader);
  const length = await reader.byte();
  if (length < 253) await reader.skip(length);
}

/** Parts that say by themselves what they are, up to a 0. */
async function skipModule(reader: ByteReader): Promise<void> {
  for (;;) {
    const part = await readLength(reader);
    if (part === 0) return;
    if (part === 1 || part === 2) await readLength(reader);
    else if (part === 3) await reader.skip(4);
    else if (part === 4) await reader.skip(8);
    else if (part === 5) await skipText(reader);
    else throw malformed('a value of a module');
  }
}

async function skipStream(reader: ByteReader, version: 1 | 2 | 3): Promise<void> {
  await times(reader, () => skipTexts(reader, 2));
  // How many entries, and the last id; then the first, the greatest deleted, and how many were ever added.
  for (let n = version === 1 ? 3 : 8; n > 0; n--) await readLength(reader);
  await times(reader, () => skipGroup(reader, version));
}

async function skipGroup(reader: ByteReader, version: 1 | 2 | 3): Promise<void> {
  await skipText(reader);
  for (let n = version === 1 ? 2 : 3; n > 0; n--) await readLength(reader);
  // Entries that are pending: id, time, count of deliveries.
  await times(reader, async () => {
    await reader.skip(24);
    await readLength(reader);
  });
  await times(reader, async () => {
    await skipText(reader);
    await reader.skip(version === 3 ? 16 : 8);
    await times(reader, () => reader.skip(16));
  });
}
