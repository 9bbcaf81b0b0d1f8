import type { RowArray } from '@wherry/shards';
import type { SessionKey } from '../record.ts';
import type { StoredSession } from './stored-session.ts';

/** Length of a digest: what comes behind it in the first column is the sealed id. */
const DIGEST_BYTES = 32;

/**
 * Expressions over a row `t` of user_session, for {@link storedSession}. What needs no escaping is joined: a reader pays
 * for each value of a row, and this makes seven of fifteen.
 */
export const SESSION_COLUMNS: readonly string[] = [
  `t.session_id || coalesce(t.source_ref, '')`,
  `concat(t.create_time, ',', t.last_access_time, ',', t.expire_time, ',', t.user_generation, ',', t.epoch, ',', t.version, ',', t.touch_version, ',',
    t.deleted_at)`,
  't.user_id',
  't.username',
  't.role',
  't.authorities',
  't.attributes',
];

/** The digest in a row whose session columns start at `offset`. */
export function digestOf(row: RowArray, offset: number): Buffer {
  return (row[offset] as Buffer).subarray(0, DIGEST_BYTES);
}

/** The session in a row whose session columns start at `offset`. */
export function storedSession(row: RowArray, offset: number, key: SessionKey): StoredSession {
  const bytes = row[offset] as Buffer;
  const sourceRef = bytes.length > DIGEST_BYTES ? bytes.subarray(DIGEST_BYTES) : null;
  const [createTime, lastAccessTime, expireTime, userGeneration, epoch, n, touchVersion, endedAt] = (row[offset + 1] as string).split(',');
  const version = { epoch: Number(epoch), n: Number(n) };
  const userId = row[offset + 2] as string | null;
  if (endedAt !== '') return { state: 'ended', tombstone: { key, endedAt: Number(endedAt), userId, version, sourceRef } };
  return {
    state: 'live',
    record: {
      key,
      userId,
      username: row[offset + 3] as string | null,
      role: row[offset + 4] as string | null,
      authorities: authoritiesOf(row[offset + 5] as string),
      createTime: Number(createTime),
      lastAccessTime: Number(lastAccessTime),
      expireTime: expireTime === '' ? null : Number(expireTime),
      userGeneration: Number(userGeneration),
      attributes: (row[offset + 6] as string | null) ?? '',
      version,
      touchVersion: Number(touchVersion),
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
