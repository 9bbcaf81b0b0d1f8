import { createHash } from 'node:crypto';
import { WherryError, type Sealer } from '@wherry/core';
import type { SourceStore } from '@wherry/sessions';

/** What was left in the source, and how it was kept. */
export interface Archive {
  readonly sessions: number;
  readonly bytes: number;
  /** SHA-256 of the archive, hexadecimal. */
  readonly sha256: string;
}

/** Options of {@link archiveSource}. */
export interface ArchiveOptions {
  readonly source: SourceStore;
  /** Of the purpose `source-archive`. */
  readonly sealer: Sealer;
  /** Takes a part of the archive; resolves when it may be followed by the next one. */
  readonly write: (part: Buffer) => Promise<void>;
  readonly signal: AbortSignal;
  /** Called after each page with the count so far. */
  readonly onPage?: (sessions: number) => void;
}

const PAGE = 500;
const HEAD = 'wherry-source-archive 1\n';

/**
 * Writes what lives in the source into an archive: a line that names the form, then one line a page, sealed, since it is
 * full of bearer secrets. A line is bound to its place in the archive, and the last one says how many there are, so that one
 * from which something was taken does not open. A session may be there twice where the source's scan repeats it.
 */
export async function archiveSource({ source, sealer, write, signal, onPage }: ArchiveOptions): Promise<Archive> {
  const hash = createHash('sha256');
  let [sessions, bytes, line] = [0, 0, 0];
  const put = async (part: Buffer): Promise<void> => {
    hash.update(part);
    bytes += part.length;
    await write(part);
  };
  const seal = (content: unknown): Buffer =>
    Buffer.from(`${sealer.seal(Buffer.from(JSON.stringify(content)), placeOf(line++)).toString('base64')}\n`);
  await put(Buffer.from(HEAD));
  await put(seal({ source: source.describe(), archivedAt: Date.now() }));
  for (const partition of await source.partitions()) {
    let cursor: string | null = null;
    do {
      signal.throwIfAborted();
      const page = await source.scan(partition, cursor, PAGE, signal);
      const living = page.sessions.filter(({ ended }) => !ended);
      if (living.length > 0)
        await put(
          seal(living.map(({ rawId, value, expireTime, version }) => ({ rawId, value, expireTime, version: [version.epoch, version.n] }))),
        );
      sessions += living.length;
      onPage?.(sessions);
      cursor = page.next;
    } while (cursor !== null);
  }
  await put(seal({ sessions, lines: line + 1 }));
  return { sessions, bytes, sha256: hash.digest('hex') };
}

/** What an archive says of itself when it is read back. */
export interface ArchiveContent {
  readonly sessions: number;
  readonly archivedAt: number;
}

/** A session as the archive has it. A bearer secret. */
export interface ArchivedSession {
  readonly rawId: string;
  readonly value: string;
  readonly expireTime: number | null;
  readonly version: readonly [epoch: number, n: number];
}

/**
 * Opens an archive line by line; `take` gets each page. Errors: `sealed_data_invalid` for another key, another form, or lines
 * that were changed, exchanged or taken away.
 */
export async function openArchive(
  lines: AsyncIterable<string>,
  sealer: Sealer,
  take: (sessions: readonly ArchivedSession[]) => void,
): Promise<ArchiveContent> {
  let line = -1;
  let sessions = 0;
  let archivedAt = 0;
  let end: { readonly sessions: number; readonly lines: number } | undefined;
  for await (const text of lines) {
    if (line === -1) {
      if (`${text}\n` !== HEAD) throw invalid();
    } else {
      if (end !== undefined) throw invalid();
      const content = JSON.parse(sealer.open(Buffer.from(text, 'base64'), placeOf(line)).toString()) as unknown;
      if (line === 0) ({ archivedAt } = content as { archivedAt: number });
      else if (Array.isArray(content)) {
        take(content as readonly ArchivedSession[]);
        sessions += content.length;
      } else end = content as typeof end;
    }
    line++;
  }
  if (end === undefined || end.sessions !== sessions || end.lines !== line) throw invalid();
  return { sessions, archivedAt };
}

function placeOf(line: number): Buffer {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(BigInt(line));
  return place;
}

function invalid(): WherryError {
  return new WherryError('sealed_data_invalid', 'this is no archive of a source, or not a whole one');
}
