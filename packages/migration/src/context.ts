import type { Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import type { RevocationView, Revocations } from '@wherry/revocation';
import type { Repairs, SessionDecoder, SourceRefs, SourceStore } from '@wherry/sessions';
import type { SqlSessions } from '@wherry/sessions/sql';
import type { ShardSet, SlotMap } from '@wherry/shards';
import type { CaptureLag } from './capture/lag-meter.ts';
import type { Journal } from './journal/journal.ts';
import type { Pace } from './pace.ts';
import type { ProgressListener } from './progress.ts';

/** This process as the others know it. */
export interface Worker {
  /** Throws `lease_lost` when the registration `id` does not hold its lease any more: judged by the monotonic clock. */
  check(id: string): void;
}

/** All that the steps of a migration work with. */
export interface MigrationContext {
  readonly control: Database;
  readonly source: SourceStore;
  readonly decode: SessionDecoder;
  readonly refs: SourceRefs;
  /** How long a session without an idle time of its own lives untouched, ms. */
  readonly defaultIdleMs: number;
  /** How long a tombstone stays in the source, ms. */
  readonly tombstoneMs: number;
  readonly target: SqlSessions;
  readonly shards: ShardSet;
  readonly slots: SlotMap;
  readonly ended: RevocationView & { noteSession(sid: string): void };
  readonly revocations: Revocations;
  readonly repairs: Repairs;
  readonly journal: Journal;
  readonly pace: Pace;
  /** Target's clock, epoch ms. */
  readonly now: () => number;
  /** Target's clock less the source's, ms. */
  readonly sourceOffsetMs: () => number;
  /** What brings over writes that do not pass through us; absent where this process captures none. */
  readonly capture?: { caughtUp(): Promise<boolean>; readonly lag: CaptureLag | undefined };
  /** This process as a worker: whether it may still write. */
  readonly worker: Worker;
  /** True while the source may lack what it had acknowledged, after a restart or a failover. */
  readonly sourceDoubted: () => boolean;
  /** Grace after which a difference is looked at again, ms. */
  readonly graceMs: number;
  readonly progress: ProgressListener;
  readonly log: Logger;
}
