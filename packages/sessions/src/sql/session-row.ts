import type { RowArray } from '@wherry/shards';
import type { SessionKey } from '../record.ts';
import type { StoredSession } from './stored-session.ts';

/** Columns that a reader of one session needs, in the order that {@link storedSession} expects. */
export const SESSION_COLUMNS: readonly string[] = [
  'session_id',
  'user_id',
  'username',
  'role',
  'authorities',
  'create_time',
  'last_access_time',
  'expire_time',
  'user_generation',
  'attributes',
  'epoch',
  'version',
  'touch_version',
  'deleted_at',
  'source_ref',
];

/** The digest in a row whose session columns start at `offset`. */
export function digestOf(row: RowArray, offset: number): Buffer {
  return row[offset] as Buffer;
}

/** The session in a row whose session columns start at `offset`. */
export function storedSession(row: RowArray, offset: number, key: SessionKey): StoredSession {
  const version = { epoch: row[offset + 10] as number, n: row[offset + 11] as number };
  const userId = row[offset + 1] as string | null;
  const endedAt = row[offset + 13] as number | null;
  const sourceRef = row[offset + 14] as Buffer | null;
  if (endedAt !== null) return { state: 'ended', tombstone: { key, endedAt, userId, version, sourceRef } };
  return {
    state: 'live',
    record: {
      key,
      userId,
      username: row[offset + 2] as string | null,
      role: row[offset + 3] as string | null,
      authorities: authoritiesOf(row[offset + 4] as string),
      createTime: row[offset + 5] as number,
      lastAccessTime: row[offset + 6] as number,
      expireTime: row[offset + 7] as number | null,
      userGeneration: row[offset + 8] as number,
      attributes: (row[offset + 9] as string | null) ?? '',
      version,
      touchVersion: row[offset + 12] as number,
      sourceRef,
    },
  };
}

const MOST_SETS = 4096;
const sets = new Map<string, readonly string[]>();

/** Many users share few sets of authorities: each is parsed once and shared, so it is frozen. */
function authoritiesOf(text: string): readonly string[] {
  const known = sets.get(text);
  if (known !== undefined) return known;
  const parsed: readonly string[] = Object.freeze(JSON.parse(text) as string[]);
  if (sets.size >= MOST_SETS) sets.clear();
  sets.set(text, parsed);
  return parsed;
}
