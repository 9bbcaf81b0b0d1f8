import type { SourcePartition, SourceSession, SourceStore } from '@wherry/sessions';

/** Bounds of a sample. Whatever is reached first ends it. */
export interface SampleBounds {
  /** Sessions; default 5000. */
  readonly sessions?: number;
  /** Bytes of stored text that are kept; default 64 MiB. */
  readonly bytes?: number;
  /** Milliseconds; default 20,000. */
  readonly ms?: number;
  readonly signal?: AbortSignal;
}

/** Sessions of a source and how they were come by. */
export interface SourceSample {
  readonly sessions: readonly SourceSession[];
  readonly partitions: number;
  /** True when the whole source was read. */
  readonly complete: boolean;
}

const PAGE = 200;
const MEBIBYTE = 1024 * 1024;

interface Reader {
  readonly partition: SourcePartition;
  cursor: string | null;
}

/**
 * Reads a page of each partition in turn until a bound is reached or all are read: the sample is spread over them
 * evenly, whatever their sizes. Changes nothing. Errors: as `scan`.
 */
export async function sampleSource(source: SourceStore, bounds: SampleBounds = {}): Promise<SourceSample> {
  const { sessions: most = 5000, bytes: mostBytes = 64 * MEBIBYTE, ms = 20_000, signal } = bounds;
  const partitions = await source.partitions();
  let readers: Reader[] = partitions.map((partition) => ({ partition, cursor: null }));
  const page = Math.max(1, Math.min(PAGE, Math.ceil(most / Math.max(1, partitions.length))));
  const sessions: SourceSession[] = [];
  const deadline = performance.now() + ms;
  let bytes = 0;
  const full = (): boolean => sessions.length >= most || bytes >= mostBytes || performance.now() >= deadline;
  while (readers.length > 0 && !full()) {
    const unfinished: Reader[] = [];
    for (const reader of readers) {
      if (full()) unfinished.push(reader);
      else {
        const found = await source.scan(reader.partition, reader.cursor, page, signal);
        for (const session of found.sessions) {
          if (session.ended || sessions.length >= most) continue;
          sessions.push(session);
          bytes += Buffer.byteLength(session.value);
        }
        reader.cursor = found.next;
        if (reader.cursor !== null) unfinished.push(reader);
      }
    }
    readers = unfinished;
  }
  return { sessions, partitions: partitions.length, complete: readers.length === 0 && sessions.length < most };
}
