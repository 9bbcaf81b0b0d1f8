import type { DeadLetter, SessionKey, SessionRecord, SourceSession } from '@wherry/sessions';
import type { SessionRead } from '@wherry/sessions/sql';
import type { PendingChange } from './pending-changes.ts';

/** One session that something happened to, with both its sides. */
export interface Case {
  readonly change: PendingChange;
  readonly key: SessionKey;
  readonly session: SourceSession | undefined;
  readonly row: SessionRead;
  readonly epoch: number;
  readonly side: 'source' | 'target';
}

/** What is to be done about it. */
export type Decision =
  | { readonly do: 'nothing' }
  /** It was ended past us. */
  | { readonly do: 'end' }
  /** It has ended: both sides are made to say so. */
  | { readonly do: 'bury' }
  /** It has ended, and the source says so. */
  | { readonly do: 'tombstone' }
  | { readonly do: 'put'; readonly record: SessionRecord; readonly tokensEnd: boolean }
  | { readonly do: 'letter'; readonly letter: DeadLetter; readonly tokensEnd: boolean }
  | { readonly do: 'restore' };

/** One session with what is to be done about it. */
export interface DecidedCase extends Case {
  readonly decision: Decision;
  /** It ends because its user's generation was raised above its own. */
  readonly foundDead?: boolean;
}
