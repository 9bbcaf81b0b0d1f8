import { WherryError } from '@wherry/core';
import { malformed, type ByteReader } from './byte-reader.ts';
import { readRdbKeys, type RdbKey } from './rdb.ts';

/** Length of the mark that ends a snapshot whose size its sender did not know (diskless replication). */
const MARK_BYTES = 40;

/**
 * The keys of the snapshot that a primary sends before the stream. Returns true when it was read to its end; false when
 * it holds what is not known: the rest of it is passed over, and the stream behind it can be read all the same.
 */
export async function* readSnapshot(reader: ByteReader): AsyncGenerator<RdbKey, boolean> {
  let header = '';
  while (header === '') header = (await reader.line()).replace(/^\n+/, '');
  const mark = /^\$EOF:([^]{40})$/.exec(header)?.[1];
  const length = mark === undefined ? Number(/^\$(\d+)$/.exec(header)?.[1] ?? Number.NaN) : undefined;
  if (Number.isNaN(length)) throw malformed('no snapshot where one should begin');
  const begun = reader.count;
  let complete = true;
  try {
    yield* readRdbKeys(reader);
  } catch (error) {
    if (!(error instanceof WherryError) || error.data['malformed'] === undefined) throw error;
    complete = false;
  }
  if (mark !== undefined) await passMark(reader, Buffer.from(mark, 'latin1'), complete);
  else await reader.skip(Math.max(0, (length ?? 0) - (reader.count - begun)));
  return complete;
}

async function passMark(reader: ByteReader, mark: Buffer, complete: boolean): Promise<void> {
  if (!complete) await reader.skipPast(mark);
  else if (!(await reader.take(MARK_BYTES)).equals(mark)) throw malformed('the snapshot does not end with its mark');
}
