import { closeSync, openSync, readSync } from 'node:fs';
import { DumpFault } from './dump-fault.ts';

const NEWLINE = 0x0a;
const CHUNK = 64 * 1024;
/** A line is one session without its content; longer ones are none of ours. */
const LONGEST_LINE = 1024 * 1024;

/**
 * The lines of a UTF-8 file, one at a time. Reads synchronously: a comparison does nothing else meanwhile. Errors:
 * {@link DumpFault} for a file that cannot be read, is no UTF-8 or has a line of more than 1 MiB.
 */
export function* linesOf(path: string): Generator<string> {
  const file = open(path);
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const length = readSync(file, chunk, 0, CHUNK, null);
      if (length === 0) break;
      const bytes = rest.length === 0 ? chunk.subarray(0, length) : Buffer.concat([rest, chunk.subarray(0, length)]);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        yield text(bytes.subarray(start, end), path);
        start = end + 1;
      }
      // A copy: the chunk is written over by the next reading.
      rest = Buffer.from(bytes.subarray(start));
      if (rest.length > LONGEST_LINE) throw new DumpFault(`${path} has a line of more than 1 MiB`);
    }
    if (rest.length > 0) yield text(rest, path);
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new DumpFault(`${path} cannot be read`, { cause: error });
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function text(bytes: Uint8Array, path: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new DumpFault(`${path} is not UTF-8`, { cause: error });
  }
}
