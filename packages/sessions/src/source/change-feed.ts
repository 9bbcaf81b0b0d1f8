/** A place in a feed. `at` orders places of one `history`, and no two changes share one. */
export interface FeedPosition {
  /** Which course of events `at` counts; a source that was replaced by one that knows less has another. */
  readonly history: string;
  /** Grows with every change; a safe integer. */
  readonly at: number;
  /** What the feed needs beside these to go on from here; plain text for a checkpoint. */
  readonly detail: string;
}

/**
 * What was done to a session. `value`: it was written; `expiry`: its life was changed; `removal`: it was taken away,
 * by somebody or because its time was over, which a log of a store does not tell apart; `other`: something that only the
 * session itself can tell, being gone included.
 */
export type SourceChangeKind = 'value' | 'expiry' | 'removal' | 'other';

/** One change of one session. */
export interface SourceChange {
  readonly rawId: string;
  readonly kind: SourceChangeKind;
  /** The text that was written, where the feed carries it: a bearer of personal data, never logged. */
  readonly value?: string;
  /** When the session ends since this change, source's clock, epoch ms; null: never; absent: the feed does not say. */
  readonly expireTime?: number | null;
  /** True when version or tombstone were written in the same step: one of ours did it. */
  readonly own: boolean;
}

/** What a feed tells, in the order in which it happened. */
export type FeedEvent =
  /** The first event. `resumed` false: the feed begins at `position`, and nothing is known of the time before it. */
  | { readonly type: 'begun'; readonly resumed: boolean; readonly position: FeedPosition }
  /** After a beginning that did not resume: sessions that were there at its position. All of them only where `present-end` follows. */
  | { readonly type: 'present'; readonly rawIds: readonly string[] }
  | { readonly type: 'present-end' }
  /** All that happened up to `position`. */
  | { readonly type: 'changes'; readonly changes: readonly SourceChange[]; readonly position: FeedPosition }
  /** Many sessions were removed by one act that names none of them. */
  | { readonly type: 'cleared'; readonly position: FeedPosition };

/** A feed that is being read: events come when they are asked for, so that a slow reader holds the source's sending up. */
export interface FollowedFeed extends AsyncIterable<FeedEvent> {
  /** What came before `position` is dealt with, durably: the source may be told so. */
  acknowledge(position: FeedPosition): void;
}

/**
 * The changes that anybody makes to the sessions of a source.
 *
 * Obligations. After `begun` every later change of a session is told at least once, those of one session in the order in
 * which they were made; it is told after it can be read from the source, never before. Repeats happen: a reader that goes
 * on from an old position is told again what came after it. Where a feed cannot go on from a position it says so by
 * `begun` with `resumed: false`: what was changed or removed in between, nobody is told, so both sides have to be
 * compared anew. `reliable: false`: changes can be missing without that.
 *
 * A crash leaves nothing at the source but what the store's own peers leave (a connection that times out). Back pressure:
 * nothing is read ahead beyond a bound; a source that will not keep what is not read ends the connection, and the next one
 * resumes or begins anew. Times are the source's clock.
 */
export interface SourceChangeFeed {
  /** `redis-replication`, `redis-notifications`, … */
  readonly kind: string;
  /** True when no change can be missing between `begun` and the last event. */
  readonly reliable: boolean;
  /**
   * Follows from `from`; null: from now on. Ends when `signal` aborts. Throws `source_unavailable` when the way to the
   * source is lost, `source_refused` when the source does not allow it.
   */
  follow(from: FeedPosition | null, signal: AbortSignal): FollowedFeed;
  /** The newest place at the source now, `detail` empty. Throws as `follow`. */
  head(): Promise<FeedPosition>;
  close(): Promise<void>;
}
