import { open, type FileHandle } from 'node:fs/promises';
import type { BreachedHashes } from './check-password.ts';

const HASH_LENGTH = 40;
/** Longest line, with what stands behind the hash. */
const LONGEST_LINE = 128;
/** What is left to search through is read as a whole when it is no longer than this. */
const BLOCK = 4096;
const NEWLINE = 10;

/**
 * A local file with one SHA-1 a line in rising order, in hexadecimal digits, and whatever behind a colon: the form in
 * which Have I Been Pwned is downloaded. It is searched where it lies by some thirty reads; nothing of it is kept in
 * memory, whatever its size. Opened at each use, so that a newer file takes its place by a rename.
 */
export function breachedFile(path: string): BreachedHashes {
  return async (sha1) => {
    const file = await open(path, 'r');
    try {
      return await search(file, (await file.stat()).size, sha1);
    } finally {
      await file.close();
    }
  };
}

/** Lines that begin before `from` are lower than `sha1`, those that begin at `to` or later are higher. */
async function search(file: FileHandle, size: number, sha1: string): Promise<boolean> {
  let from = 0;
  let to = size;
  while (to - from > BLOCK) {
    const middle = Math.floor((from + to) / 2);
    const piece = await read(file, middle, 2 * LONGEST_LINE);
    const start = piece.indexOf(NEWLINE) + 1;
    if (start === 0) throw new Error('the file of breached passwords has a line that is too long');
    if (middle + start >= to) {
      to = middle + 1;
      continue;
    }
    const hash = hashAt(piece, start);
    if (hash === sha1) return true;
    if (hash < sha1) from = middle + start;
    else to = middle + start;
  }
  const rest = await read(file, from, to - from + HASH_LENGTH);
  for (let start = 0; start + HASH_LENGTH <= rest.length;) {
    if (hashAt(rest, start) === sha1) return true;
    const end = rest.indexOf(NEWLINE, start);
    if (end < 0) break;
    start = end + 1;
  }
  return false;
}

function hashAt(bytes: Buffer, start: number): string {
  const hash = bytes.toString('latin1', start, start + HASH_LENGTH).toUpperCase();
  if (!/^[0-9A-F]{40}$/.test(hash)) throw new Error('the file of breached passwords has a line without a SHA-1');
  return hash;
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
