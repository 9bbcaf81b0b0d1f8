import { malformed, type ByteReader } from './byte-reader.ts';
import { Crc64 } from './crc64.ts';
import { skipValue } from './rdb-values.ts';
import { readLength, readText, skipText } from './rdb-text.ts';

/** A key of a snapshot. */
export interface RdbKey {
  readonly key: Buffer;
  readonly database: number;
}

/** Longest key that is looked at; longer ones are no sessions. */
const MOST_KEY_BYTES = 4096;
const OLDEST = 5;

const OPCODE = {
  slotInfo: 0xf4,
  function: 0xf5,
  moduleAux: 0xf7,
  idle: 0xf8,
  frequency: 0xf9,
  aux: 0xfa,
  resize: 0xfb,
  expiryMs: 0xfc,
  expiry: 0xfd,
  select: 0xfe,
  end: 0xff,
} as const;

/**
 * The keys of an RDB snapshot, of versions 5 to 12, in its order (Redis `rdb.c`, `rdb.h`). Structure only: values are
 * passed over by their lengths and never held, whatever their size; who needs one reads it from the server. Ends behind
 * the checksum; throws `source_unavailable` where that is wrong, and for what it cannot pass over.
 */
export async function* readRdbKeys(reader: ByteReader): AsyncGenerator<RdbKey> {
  const checksum = new Crc64();
  reader.showTo((bytes) => checksum.update(bytes));
  try {
    yield* readKeys(reader, checksum);
  } finally {
    reader.showTo(undefined);
  }
}

async function* readKeys(reader: ByteReader, checksum: Crc64): AsyncGenerator<RdbKey> {
  const magic = (await reader.take(9)).toString('latin1');
  const version = /^REDIS(\d{4})$/.exec(magic)?.[1];
  if (version === undefined || Number(version) < OLDEST) throw malformed('not a snapshot of a version that is known');
  for (let database = 0; ;) {
    const code = await reader.byte();
    switch (code) {
      case OPCODE.end:
        await checkEnd(reader, checksum);
        return;
      case OPCODE.select:
        database = await readLength(reader);
        break;
      case OPCODE.resize:
        await readLength(reader);
        await readLength(reader);
        break;
      case OPCODE.slotInfo:
        for (let n = 0; n < 3; n++) await readLength(reader);
        break;
      case OPCODE.aux:
        await skipText(reader);
        await skipText(reader);
        break;
      case OPCODE.function:
        await skipText(reader);
        break;
      case OPCODE.moduleAux:
        await readLength(reader);
        await readLength(reader);
        await readLength(reader);
        await skipValue(reader, 'module');
        break;
      case OPCODE.expiryMs:
        await reader.skip(8);
        break;
      case OPCODE.expiry:
        await reader.skip(4);
        break;
      case OPCODE.idle:
        await readLength(reader);
        break;
      case OPCODE.frequency:
        await reader.skip(1);
        break;
      default: {
        const key = await readText(reader, MOST_KEY_BYTES);
        await skipValue(reader, code);
        if (key !== undefined) yield { key, database };
      }
    }
  }
}

/** Eight bytes, little-endian; 0: the server was told to leave it out. */
async function checkEnd(reader: ByteReader, checksum: Crc64): Promise<void> {
  const computed = checksum.value;
  const said = (await reader.take(8)).readBigUInt64LE(0);
  if (said !== 0n && said !== computed) throw malformed('the checksum of the snapshot is wrong');
}
