import type { SessionRecord } from './record.ts';
import type { SessionTouch } from './sql/stored-session.ts';

/**
 * The touch of a session that was born here: its idle time from `now` on, but never past its absolute end. As the row's
 * expiry stays within it, whoever reads the row keeps the absolute end without knowing of it.
 */
export function nativeTouch(record: SessionRecord, now: number, absoluteMs: number): SessionTouch {
  const { expireTime, lastAccessTime, createTime } = record;
  const end = createTime + absoluteMs;
  return {
    lastAccessTime: now,
    expireTime: expireTime === null ? end : Math.min(now + Math.max(0, expireTime - lastAccessTime), end),
    touchVersion: now,
  };
}
