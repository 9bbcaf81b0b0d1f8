import type { Logger } from '@wherry/core';
import type { RevocationView, Revocations } from '@wherry/revocation';
import type { SessionKey, SessionRecord, SessionVersion } from '../record.ts';
import type { SourceStore } from '../source/contract.ts';
import type { Identity } from './identity.ts';
import type { SessionDecoder } from '../source/decoder.ts';
import type { DeadLetter } from './dead-letters.ts';
import type { Repairs } from './repairs.ts';
import type { SourceRefs } from './source-ref.ts';
import type { SourceTouches } from './source-touches.ts';

/** Which store is the system of record for a slot. */
export type PrimarySide = 'source' | 'target';

/** The right to write to a slot under one epoch; counts as a write in flight until `leave`. */
export interface SlotPassage {
  readonly slot: number;
  readonly epoch: number;
  readonly side: PrimarySide;
  leave(): void;
}

/** What this process knows of a slot. */
export interface SlotView {
  readonly epoch: number;
  readonly side: PrimarySide;
  /** `closing`: it is about to change, and may have changed already. */
  readonly state: 'open' | 'closing';
}

/** The slot map as the two-sided store needs it. */
export interface SlotGate {
  /** Waits while the slot is closing; `slot_not_owned` after a bound. */
  enter(slot: number): Promise<SlotPassage>;
  entry(slot: number): SlotView;
  /** Loads what is newer than known. */
  refresh(): Promise<void>;
}

/** What the target holds under a key. A row with another digest is somebody else's and answers `absent`. */
export type TargetRead =
  | { readonly state: 'live'; readonly record: SessionRecord }
  | { readonly state: 'ended' }
  | { readonly state: 'absent' };

/** What became of a fenced write. */
export type TargetWrite = 'applied' | 'older' | 'ended' | 'collision' | 'not_owned';

/** A touch: sets expiry and last access where `touchVersion` is newer. Target clock, epoch ms. */
export interface SessionTouch {
  readonly lastAccessTime: number;
  readonly expireTime: number | null;
  readonly touchVersion: number;
}

/** The sharded store as the two-sided store needs it. */
export interface TargetSessions {
  /** Expired rows are answered too; the caller filters by its clock. */
  get(key: SessionKey): Promise<TargetRead>;
  /** The same without a digest, for ids that come from our own signed tokens. */
  getById(slot: number, id: bigint): Promise<TargetRead>;
  /** Insert-or-newer with the record's own version, under this epoch only. */
  put(record: SessionRecord, epoch: number): Promise<TargetWrite>;
  /**
   * As the primary side: the next version is made in the row, under this epoch only. `differs`: the row belongs to another
   * than the record says, and not to `over` either; nothing was written.
   */
  save(
    record: SessionRecord,
    epoch: number,
    over?: Identity,
  ): Promise<{ readonly outcome: TargetWrite | 'differs'; readonly version: SessionVersion }>;
  /** Coalesced and written behind, under whichever epoch is current. */
  touch(key: SessionKey, touch: SessionTouch): void;
  /** Resolves when the touches of these slots that were taken before are written, or wait again because their shard is away. Never throws. */
  flushSlots(slots: Iterable<number>): Promise<void>;
  /** Tombstone, inserted where nothing is, under whichever epoch is current. Resolves when it is durable. */
  end(key: SessionKey, endedAt: number): Promise<'applied' | 'collision'>;
  /**
   * What to do when a write was refused under `epoch`: whoever is behind, map or shard, is brought to what control says,
   * with a wait from the second time on. Never throws.
   */
  follow(slot: number, epoch: number, attempt: number): Promise<void>;
  /** The least generation of a user that lives, as the shard of `slot` knows it; 0: his was never raised. */
  leastGeneration(slot: number, userId: string): Promise<number>;
  /** True when the shard itself says that this epoch of the slot is in force. */
  confirmEpoch(slot: number, epoch: number): Promise<boolean>;
}

/** Names of the places between two statements, for tests that interleave or crash there. */
export type CarriedStep =
  | 'save.entered'
  | 'save.source-written'
  | 'save.target-written'
  | 'save.change-begun'
  | 'touch.source-written'
  | 'end.recorded'
  | 'end.source-removed'
  | 'end.target-removed'
  | 'read.source-read'
  | 'read.target-read';

/** All that the two-sided store works with. */
export interface CarriedContext {
  readonly source: SourceStore;
  readonly decode: SessionDecoder;
  readonly target: TargetSessions;
  readonly slots: SlotGate;
  readonly ended: RevocationView & { noteSession(sid: string): void };
  readonly revocations: Revocations;
  /** The lease of this process: what it knows of the slots holds while it is valid. */
  readonly lease: { readonly leaseValid: boolean };
  readonly repairs: Repairs;
  readonly refs: SourceRefs;
  readonly sourceTouches: SourceTouches;
  readonly reportDeadLetters: (letters: readonly DeadLetter[]) => Promise<void>;
  /** How long a session without an idle time of its own lives untouched, ms. */
  readonly defaultIdleMs: number;
  /** Life in all of a session that is born here, ms. */
  readonly absoluteMs: number;
  /** How long a tombstone stays in the source: longest session + longest repair, ms. */
  readonly tombstoneMs: number;
  /** The target's clock, epoch ms. */
  readonly now: () => number;
  /** Target's clock less the source's, ms. */
  readonly sourceOffsetMs: () => number;
  /** True while the source may lack what it had acknowledged, after a restart or a failover. */
  readonly sourceDoubted: () => boolean;
  readonly log: Logger;
  /** Awaited between statements; absent outside tests. */
  readonly at?: (step: CarriedStep) => Promise<void>;
}
