import { readFileSync } from 'node:fs';

/** What a software itself wrote, as it was kept: a file under the fixtures of the sessions. */
export function golden(path: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../../packages/sessions/fixtures/${path}`, import.meta.url), 'utf8')) as unknown;
}

/** `bytes` with another `part` wherever that stands; there has to be one. */
export function rewritten(bytes: Buffer, part: Buffer, by: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let start = 0;
  for (let at = bytes.indexOf(part); at >= 0; at = bytes.indexOf(part, start)) {
    pieces.push(bytes.subarray(start, at), by);
    start = at + part.length;
  }
  if (start === 0) throw new Error('what was to be rewritten is not there');
  return Buffer.concat([...pieces, bytes.subarray(start)]);
}
