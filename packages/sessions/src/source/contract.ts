import type { SessionVersion } from '../record.ts';
import type { SourceLives } from './lives.ts';

/** What a source says of itself. */
export interface SourceDescription {
  /** `redis` or `dynamodb`, … */
  readonly kind: string;
  /** The layout that the data has, e.g. `connect-redis`. */
  readonly layout: string;
  /** For people: where it is, without credentials. */
  readonly location: string;
}

/** One session as it lies in the source. */
export interface SourceSession {
  /** Canonical id: the key without the prefix. A bearer secret: never logged. */
  readonly rawId: string;
  /** The stored text, undecoded; empty for a tombstone. A bearer of personal data: never logged. */
  readonly value: string;
  /** When it ends by the source's clock and rules, epoch ms; null: never. */
  readonly expireTime: number | null;
  /** The source's clock at the reading, epoch ms. */
  readonly readAt: number;
  /** What instrumented writers keep beside it; `{epoch: 0, n: 0}` where none has written. */
  readonly version: SessionVersion;
  /** True for a tombstone. */
  readonly ended: boolean;
}

/** A part of the source that is read by itself. `id` is stable while `describePartitions` answers the same topology. */
export interface SourcePartition {
  readonly id: string;
  /** Changes when cursors of this partition lose their meaning (e.g. Redis' run id): the partition starts again. */
  readonly incarnation: string;
}

/** One page of a scan. */
export interface SourcePage {
  readonly sessions: readonly SourceSession[];
  /** Where the next page starts, plain text for a checkpoint; null: the partition is finished. */
  readonly next: string | null;
}

/** What became of a write under the version rules. */
export type SourceWrite =
  | { readonly outcome: 'applied'; readonly version: SessionVersion; readonly expireTime: number | null }
  /** A tombstone lies there. Ended wins over alive. */
  | { readonly outcome: 'ended' }
  /** The source holds something newer: a writer of a later epoch has been there, or (for `put`) the version is not newer. */
  | { readonly outcome: 'older'; readonly version: SessionVersion };

/**
 * Who a save says that the session belongs to. Where a session lives that belongs to another, nothing is written, unless
 * the writer has just been told of that one and names it.
 */
export interface SaveIdentity {
  /** Stands for the user and his authorities: lower-case hexadecimal. Kept beside the version. */
  readonly mark: string;
  /** The mark that may be replaced: as it was answered, '' for a session of which none is kept. */
  readonly over?: string;
}

/** What became of a save. */
export type SourceSave =
  | SourceWrite
  /** A session lives there with another mark, or with none; `value` is its text. */
  | { readonly outcome: 'differs'; readonly mark: string; readonly value: string };

/** What became of a touch. */
export type SourceTouch =
  | { readonly outcome: 'applied'; readonly expireTime: number | null }
  | { readonly outcome: 'ended' | 'missing' | 'older' };

/**
 * A NoSQL store that holds sessions, as the migration and instrumented writers see it.
 *
 * Obligations. Every single call is atomic per session: value, expiry, version and tombstone are read and changed
 * together. A session that is past its expiry is absent, even if the store still holds it. Every write is idempotent or
 * answers so that a repeat can be told (`older`). A store that cannot be reached throws `source_unavailable`; a write
 * that throws so may or may not have happened. One that refuses (permissions, size, type) throws `source_refused`. What is written stays readable for the legacy application: extra facts
 * (version, tombstone) lie where it does not look. Nothing is decoded or executed here: values are text.
 *
 * Scans see every session that exists from before the scan's start to its end at least once, and may repeat some. They
 * show the living only; a tombstone is read by `get`. A cursor that means nothing here, or belongs to another incarnation
 * of its partition, throws `source_cursor_lost`: the partition starts again with a fresh answer of `partitions`.
 */
export interface SourceStore {
  /** For a store that may forget what it has acknowledged; absent where none of that is ever lost. */
  readonly lives?: SourceLives;
  describe(): SourceDescription;
  /** The source's clock, epoch ms. */
  now(): Promise<number>;
  /** The parts to scan, each by itself; their union is everything. */
  partitions(): Promise<readonly SourcePartition[]>;
  /** A page of about `limit` sessions from `cursor` (null: from the start). Aborting leaves nothing behind. */
  scan(partition: SourcePartition, cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage>;
  /** Live sessions and tombstones by raw id, in the order asked; undefined: absent or expired. */
  get(rawIds: readonly string[]): Promise<readonly (SourceSession | undefined)[]>;
  /** About how many sessions there are, and how (an estimate may be rough). */
  count(): Promise<number>;
  /**
   * A session of nobody's in the form of those that lie here, for a proof of the way back: what the application would take
   * for one of its own. Absent: a session of express-session is one.
   */
  canary?(): Promise<string>;
  /**
   * Which of the layouts that hold the same values this is, as the keys show it: the name of a format. undefined: nothing
   * here shows it. Absent: the values say it all.
   */
  layout?(): Promise<string | undefined>;

  /**
   * Writes as the primary side: the next version is made in the store, `n + 1` in `epoch`. `ttlMs` null: never expires.
   * Refused with `ended` over a tombstone, with `older` when a writer of a later epoch has been there, and, where
   * `identity` is given, with `differs`. Without one, and by every `put`, no mark is kept.
   */
  save(rawId: string, value: string, ttlMs: number | null, epoch: number, identity?: SaveIdentity): Promise<SourceSave>;
  /** Sets the expiry only, `ttlMs` from now; `missing` where nothing lives. */
  touch(rawId: string, ttlMs: number | null, epoch: number): Promise<SourceTouch>;
  /** Removes the session and leaves a tombstone for `keepMs`. Idempotent; works where nothing was. */
  end(rawId: string, keepMs: number, epoch: number): Promise<void>;
  /**
   * Writes as the secondary side: a version made by the target, applied when it is newer, or when it is the same and no
   * session lives here; never over a tombstone. `expireTime` by the source's clock; in the past: nothing lives afterwards.
   *
   * Why the same version: a touch that did not come here in time lets the session run out early, while it lives on at
   * the primary target. Its version is still known here, and without this no way back would bring it again.
   *
   * Why that brings nothing back that has ended. An end leaves a tombstone in the same step, which refuses every put for
   * longer than a session that was alive before can last; a put that comes later still carries an expiry that is over.
   * A session that ran out by the primary's own word did so at the last expiry that the primary gave to this version; a
   * put carries one that the primary gave to it, no later unless a touch has shortened the life in between, and that a
   * put of a newer version might overtake as well. While the target is primary nobody is answered from here, and what a
   * put left too long is corrected by the next comparison. After a return of the primary side to the source, the first
   * save here has a version of a later epoch, and no put of the time before is the same or newer.
   */
  put(rawId: string, value: string, expireTime: number | null, version: SessionVersion): Promise<SourceWrite>;
  /** Lets go of the connections that this object opened itself. */
  close(): Promise<void>;
}
