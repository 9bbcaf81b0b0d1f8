import type { SessionKey, SessionRecord, SessionVersion } from '../record.ts';

/** A session that was ended: its key, and what a reader of the other side needs to end it there too. */
export interface SessionTombstone {
  readonly key: SessionKey;
  /** Epoch ms. */
  readonly endedAt: number;
  readonly userId: string | null;
  readonly version: SessionVersion;
  /** The raw carried-over id, sealed; null for sessions that were born here or never seen alive. */
  readonly sourceRef: Buffer | null;
}

/** A row as it lies in the table; it may be past its expiry. */
export type StoredSession =
  | { readonly state: 'live'; readonly record: SessionRecord }
  | { readonly state: 'ended'; readonly tombstone: SessionTombstone };

/** What lies under a key. A row with another digest is somebody else's and answers `absent`. */
export type SessionRead = StoredSession | { readonly state: 'absent' };

/** A touch sets expiry and last access where its version is newer. Target's clock, epoch ms. */
export interface SessionTouch {
  readonly lastAccessTime: number;
  readonly expireTime: number | null;
  readonly touchVersion: number;
}
