import { convertSessions, type DeadLetter, type SessionRecord, type SourcePage, type SourceSession } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';

/** A session that can be carried, with the epoch that its slot had before it was read. */
export interface LivingSession {
  readonly rawId: string;
  readonly record: SessionRecord;
  readonly epoch: number;
}

/** Sessions of the source as they go to the shards. */
export interface ConvertedPage {
  readonly next: string | null;
  readonly scanned: number;
  /** Characters of the stored texts. */
  readonly size: number;
  readonly living: readonly LivingSession[];
  readonly tombstones: readonly SourceSession[];
  readonly letters: readonly DeadLetter[];
}

/** No epoch of any slot: what is put under it is turned away, and read again. */
const CHANGED = -1;

/**
 * Decodes a page. `mapVersion` is the slot map's from before it was read: a session whose slot has changed since may have
 * been read from what is not the primary side any more, so it is not put before it was read again.
 */
export function convertPage(context: MigrationContext, { next, sessions }: SourcePage, mapVersion: bigint): ConvertedPage {
  const living: LivingSession[] = [];
  const tombstones: SourceSession[] = [];
  const letters: DeadLetter[] = [];
  let size = 0;
  const changes = context.slots.version > mapVersion;
  const alive: SourceSession[] = [];
  for (const session of sessions) {
    size += session.value.length;
    (session.ended ? tombstones : alive).push(session);
  }
  for (const [index, converted] of convertSessions(alive, context).entries()) {
    if (!converted.ok) {
      letters.push(converted.letter);
      continue;
    }
    const { record } = converted;
    const { slot } = record.key;
    const changed = changes && context.slots.entry(slot).seq > mapVersion;
    living.push({ rawId: (alive[index] as SourceSession).rawId, record, epoch: changed ? CHANGED : context.slots.epochOf(slot) });
  }
  return { next, scanned: sessions.length, size, living, tombstones, letters };
}
