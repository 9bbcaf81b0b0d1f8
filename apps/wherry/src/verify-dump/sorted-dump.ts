import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DumpFault } from './dump-fault.ts';
import { readHeader, readLine, type DumpEntry, type DumpFooter, type DumpHeader } from './dump-line.ts';
import { linesOf } from './lines.ts';
import { mergeRuns } from './merge-runs.ts';

/** Digits of a time in a key; so keys of one length sort as the pair of id and time. */
const TIME_DIGITS = 16;
const ID_LENGTH = 64;
const KEY_LENGTH = ID_LENGTH + TIME_DIGITS;
/** Bytes that are written at a time. */
const WRITE = 1024 * 1024;

/**
 * An export in the order of its ids, each once: of a session that was read twice the later reading counts. What does
 * not fit into `memoryBytes` lies in sorted runs in a folder of its own, which only this user can read, until it is closed.
 * Errors: {@link DumpFault}.
 */
export class SortedDump {
  readonly header: DumpHeader;
  readonly footer: DumpFooter;
  readonly #folder: string;
  readonly #runs: string[] = [];

  constructor(path: string, memoryBytes: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'wherry-verify-'));
    try {
      const { header, footer } = this.#sort(path, memoryBytes);
      this.header = header;
      this.footer = footer;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Every session once, in the order of the ids. */
  *entries(): Generator<DumpEntry> {
    let last: string | undefined;
    for (const line of mergeRuns(this.#runs.map((run) => linesOf(run)))) {
      if (last !== undefined && last.slice(0, ID_LENGTH) !== line.slice(0, ID_LENGTH)) yield entryOf(last);
      last = line;
    }
    if (last !== undefined) yield entryOf(last);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #sort(path: string, memoryBytes: number): { readonly header: DumpHeader; readonly footer: DumpFooter } {
    let header: DumpHeader | undefined;
    let footer: DumpFooter | undefined;
    let held: string[] = [];
    let bytes = 0;
    let sessions = 0;
    let number = 0;
    for (const line of linesOf(path)) {
      const where = `${path}:${++number}`;
      if (header === undefined) {
        header = readHeader(line, where);
        continue;
      }
      if (footer !== undefined) throw new DumpFault(`${where}: something comes after the last line`);
      const read = readLine(line, where);
      if (!('id' in read)) {
        footer = read;
        continue;
      }
      sessions++;
      held.push(`${read.id}${String(read.at).padStart(TIME_DIGITS, '0')}${line}`);
      // A character of a text takes a byte or two, and the array points to it.
      bytes += line.length * 2 + KEY_LENGTH + 32;
      if (bytes < memoryBytes) continue;
      this.#write(held);
      held = [];
      bytes = 0;
    }
    this.#write(held);
    if (header === undefined) throw new DumpFault(`${path} is empty`);
    if (footer === undefined) throw new DumpFault(`${path} has no last line: it was cut off`);
    if (footer.sessions !== sessions) throw new DumpFault(`${path} has ${sessions} sessions, and its last line says ${footer.sessions}`);
    return { header, footer };
  }

  #write(lines: string[]): void {
    if (lines.length === 0) return;
    lines.sort();
    const run = join(this.#folder, String(this.#runs.length));
    const file = openSync(run, 'wx', 0o600);
    try {
      let text = '';
      for (const line of lines) {
        text += `${line}\n`;
        if (text.length < WRITE) continue;
        writeFileSync(file, text);
        text = '';
      }
      writeFileSync(file, text);
    } finally {
      closeSync(file);
    }
    this.#runs.push(run);
  }
}

function entryOf(line: string): DumpEntry {
  const read = readLine(line.slice(KEY_LENGTH), 'a sorted run');
  if (!('id' in read)) throw new DumpFault('a sorted run holds no session where one should be');
  return read;
}
