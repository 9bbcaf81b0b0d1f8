import {
  carriedSessionKey,
  convertSession,
  SourceOffset,
  type Conversion,
  type SessionRecord,
  type SessionRuntime,
  type SourceStore,
} from '@wherry/sessions';
import type { ScanCursor } from '@wherry/sessions/sql';
import { sessionIdText } from '@wherry/sessions';
import { sessionLine, type ExportedSession } from './export-line.ts';

/** What an export reads from. */
export interface ExportParts {
  readonly runtime: SessionRuntime;
  readonly source: SourceStore;
  readonly decode: Conversion['decode'];
}

const PAGE = 1000;
const DAY_MS = 86_400_000;

/** The lines of all sessions that live at the source, page by page. Errors: as `SourceStore.scan`. */
export async function* exportSource({ runtime, source, decode }: ExportParts): AsyncGenerator<readonly string[]> {
  const offset = new SourceOffset(source, runtime.now);
  await offset.measure();
  const conversion: Conversion = { decode, refs: runtime.refs, defaultIdleMs: DAY_MS, sourceOffsetMs: offset.ms };
  for (const partition of await source.partitions()) {
    let cursor: string | null = null;
    do {
      const page = await source.scan(partition, cursor, PAGE);
      yield page.sessions.map((session) => {
        const key = carriedSessionKey(session.rawId);
        const at = Math.round(session.readAt + offset.ms());
        const converted = convertSession(session, conversion);
        return sessionLine(key, at, converted.ok ? meaningOf(converted.record, runtime) : { state: 'undecodable' });
      });
      cursor = page.next;
    } while (cursor !== null);
  }
}

/** The lines of all carried-over sessions at the target, tombstones among them, page by page. Those born here have no other side. */
export async function* exportTarget({ runtime }: ExportParts): AsyncGenerator<readonly string[]> {
  for (const shard of runtime.shards.all.keys()) {
    let after: ScanCursor | null = null;
    do {
      const page = await runtime.target.scanShard(shard, { after, limit: PAGE });
      const at = Math.round(runtime.now());
      yield page.sessions.flatMap((stored) => {
        if (stored.state === 'ended') return [sessionLine(stored.tombstone.key, at, { state: 'ended' })];
        const { record } = stored;
        const over = record.sourceRef === null || (record.expireTime !== null && record.expireTime <= at);
        return over ? [] : [sessionLine(record.key, at, meaningOf(record, runtime))];
      });
      after = page.next;
    } while (after !== null);
  }
}

/** As a reader judges it: what a record or the user's generation has ended is ended, whatever the store still holds. */
function meaningOf(record: SessionRecord, { ended }: SessionRuntime): ExportedSession {
  const { key, userId, username, authorities, userGeneration, expireTime } = record;
  const isEnded = ended.isSessionEnded(sessionIdText(key.id)) || (userId !== null && userGeneration < ended.minimumGeneration(userId));
  if (isEnded) return { state: 'ended' };
  return { state: 'live', user: userId, name: username, authorities: [...authorities].toSorted(), expires: expireTime };
}
