import type { KeyObject } from 'node:crypto';
import { noMetrics, silentLogger, systemClock, type Clock, type Component, type Logger, type Metrics } from '@wherry/core';
import { Instance, type Database, type FeedTopic } from '@wherry/core/control';
import { REVOCATION_TOPIC, RevocationSet, Revocations } from '@wherry/revocation';
import { SlotMap, installSlotMap, type ShardSet } from '@wherry/shards';
import { CarriedSessions } from './carried/carried-sessions.ts';
import type { CarriedContext, CarriedStep } from './carried/context.ts';
import { addDeadLetters } from './carried/dead-letters.ts';
import { Repairs } from './carried/repairs.ts';
import { ShadowReads } from './carried/shadow.ts';
import { SourceOffset } from './carried/source-offset.ts';
import { SourceRefs } from './carried/source-ref.ts';
import { SourceTouches } from './carried/source-touches.ts';
import { RetirableSource } from './source/retirable-source.ts';
import { SourceState } from './source/source-state.ts';
import { SourceHistory } from './source/source-history.ts';
import { WatchedSource } from './source/watched-source.ts';
import { SqlSessions } from './sql/sql-sessions.ts';
import { sourceRefKeyOf } from './source-ref-key.ts';
import type { SourceStore } from './source/contract.ts';
import type { SessionDecoder } from './source/decoder.ts';

/** Options of {@link SessionRuntime}. Times in milliseconds. */
export type SessionRuntimeOptions = RuntimeOptions & SealingKey;

/** The key that source refs are sealed under: of the master key's 32 bytes, or, where those must not be, on its own. */
type SealingKey =
  | { readonly masterKey: Uint8Array; readonly sourceRefKey?: never }
  | { readonly masterKey?: never; readonly sourceRefKey: KeyObject };

interface RuntimeOptions {
  readonly control: Database;
  readonly shards: ShardSet;
  /** What this process is. `writer`: an application whose session store is wrapped. */
  readonly role: 'writer' | 'auth' | 'gateway' | 'migrator';
  /** What else this process follows over the feed. */
  readonly topics?: readonly FeedTopic[];
  /**
   * How long a drained termination record stays: longest token life + skew + longest request. Whoever says so says it for all;
   * default 1 h, or as long as others have said.
   */
  readonly keepEndsMs?: number;
  /** Life in all of a session that is born here; default 7 days. */
  readonly absoluteMs?: number;
  /** Longest wait before a touch is written; default 1000. A verification's grace must be longer. */
  readonly touchEveryMs?: number;
  /** Grace after which a shadow read that differs is looked at again; default 2000, more than `touchEveryMs`. A migrator waits for its slowest reader. */
  readonly shadowGraceMs?: number;
  /** How long this process's lease lasts without a renewal; default 5000. */
  readonly leaseMs?: number;
  /** Longest wait until all processes act on the end of a session; default 1000. */
  readonly propagationMs?: number;
  /** Longest wait for a slot that is closing or moving; default 2000. */
  readonly deadlineMs?: number;
  readonly log?: Logger;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
}

/** How this process reaches the sessions of a source. */
export interface CarriedOptions {
  readonly source: SourceStore;
  readonly decode: SessionDecoder;
  /** Life of a session without an idle time of its own; default one day. */
  readonly defaultIdleMs?: number;
  /** Life of a tombstone in the source: longest session + longest repair; default 31 days. */
  readonly tombstoneMs?: number;
  /** Target's clock less the source's, ms; default: measured. */
  readonly sourceOffsetMs?: () => number;
  /** Awaited between statements; for tests. */
  readonly at?: (step: CarriedStep) => Promise<void>;
}

const DAY_MS = 86_400_000;

/**
 * The session side of a process: it follows the slot map and the revocations under one lease, writes to the shards
 * under the fence, and remembers what could not be written twice.
 */
export class SessionRuntime implements Component {
  readonly name = 'sessions';
  readonly instance: Instance;
  readonly slots: SlotMap;
  readonly ended: RevocationSet;
  readonly revocations: Revocations;
  readonly target: SqlSessions;
  readonly repairs: Repairs;
  readonly refs: SourceRefs;
  readonly shadow: ShadowReads;
  /** Whether the source is in use. */
  readonly sourceState: SourceState;
  readonly control: Database;
  readonly shards: ShardSet;
  /** Life in all of a session that is born here, ms. */
  readonly absoluteMs: number;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #touchEveryMs: number;
  readonly #knowsKeep: boolean;
  readonly #sourceTouches: SourceTouches[] = [];
  readonly #watched = new Map<SourceStore, WatchedSource>();

  constructor(options: SessionRuntimeOptions) {
    const { control, shards } = options;
    const log = options.log ?? silentLogger;
    this.control = control;
    this.shards = shards;
    this.absoluteMs = options.absoluteMs ?? 7 * DAY_MS;
    this.#log = log;
    this.#clock = options.clock ?? systemClock;
    this.#touchEveryMs = options.touchEveryMs ?? 1000;
    this.#knowsKeep = options.keepEndsMs !== undefined;
    this.slots = new SlotMap({ control, clock: this.#clock, log });
    this.ended = new RevocationSet({ database: control, staleMs: () => this.instance.staleMs(REVOCATION_TOPIC), clock: this.#clock });
    this.shadow = new ShadowReads({
      database: control,
      instance: () => this.instance.id,
      ...(options.shadowGraceMs === undefined ? {} : { graceMs: options.shadowGraceMs }),
      log,
    });
    this.sourceState = new SourceState(control);
    this.instance = new Instance({
      database: control,
      role: options.role,
      topics: [this.#slotTopic(), this.ended, this.shadow, this.sourceState, ...(options.topics ?? [])],
      log,
      clock: this.#clock,
      ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
    });
    this.revocations = new Revocations({
      database: control,
      set: this.ended,
      keepMs: options.keepEndsMs ?? 3_600_000,
      acknowledged: (topic, seq, timeoutMs) => this.instance.acknowledged(topic, seq, timeoutMs),
      ...(options.propagationMs === undefined ? {} : { propagationMs: options.propagationMs }),
    });
    this.target = new SqlSessions({
      shards,
      map: this.slots,
      touchEveryMs: this.#touchEveryMs,
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
      log,
      metrics: options.metrics ?? noMetrics,
    });
    this.repairs = new Repairs({ database: control, log });
    this.refs = new SourceRefs(options.sourceRefKey ?? sourceRefKeyOf(options.masterKey));
  }

  /** The target's clock by this process' reckoning, epoch ms. */
  readonly now = (): number => this.#clock.now() + this.instance.clockOffsetMs;

  /** Registers, and resolves when slot map, revocations and the other topics are loaded. */
  async run(): Promise<void> {
    await this.instance.run();
    if (this.#knowsKeep) await this.revocations.declareKeep();
  }

  /**
   * A source that may restart or fail over, as this process is to use it.
   */
  watch(source: SourceStore): WatchedSource {
    const known = this.#watched.get(source);
    if (known !== undefined) return known;
    const { control, slots } = this;
    const history = new SourceHistory({
      control,
      lives: source.lives,
      refreshSlots: () => slots.refresh(),
      tellShards: () =>
        installSlotMap(
          control,
          Array.from({ length: this.shards.size }, (_, shard) => this.shards.shard(shard).database),
        ),
      log: this.#log,
    });
    // Before the first call needs it; a fault is told to that call.
    void history.known().catch(() => undefined);
    const watched = new WatchedSource(source, history, slots);
    this.#watched.set(source, watched);
    return watched;
  }

  /** The carried-over sessions of a source, on both sides. */
  carry(options: CarriedOptions): CarriedSessions {
    const { decode } = options;
    const watched = this.watch(options.source);
    const source = new RetirableSource(watched, this.sourceState);
    const sourceTouches = new SourceTouches({
      source,
      slots: this.slots,
      repairs: this.repairs,
      refs: this.refs,
      everyMs: this.#touchEveryMs,
      log: this.#log,
    });
    this.#sourceTouches.push(sourceTouches);
    const context: CarriedContext = {
      source,
      decode,
      target: this.target,
      slots: this.slots,
      ended: this.ended,
      revocations: this.revocations,
      lease: this.instance,
      repairs: this.repairs,
      refs: this.refs,
      sourceTouches,
      reportDeadLetters: (letters) => addDeadLetters(this.control, letters),
      defaultIdleMs: options.defaultIdleMs ?? DAY_MS,
      absoluteMs: this.absoluteMs,
      tombstoneMs: options.tombstoneMs ?? 31 * DAY_MS,
      now: this.now,
      sourceOffsetMs: options.sourceOffsetMs ?? new SourceOffset(source, this.now).ms,
      sourceDoubted: watched.doubted,
      log: this.#log,
      ...(options.at === undefined ? {} : { at: options.at }),
    };
    return new CarriedSessions(context, this.shadow);
  }

  /** Writes what was put off. */
  async drain(): Promise<void> {
    await this.target.drain();
    await Promise.all(this.#sourceTouches.map((touches) => touches.drain()));
    await this.repairs.drain();
    await this.revocations.drain();
  }

  /** Gives the lease back, unless something is left unwritten that only a verification can find. */
  async stop(): Promise<void> {
    await this.shadow.stop();
    await this.target.stop();
    await Promise.all(this.#sourceTouches.map((touches) => touches.stop()));
    await this.repairs.stop();
    await this.instance.stop({ clean: this.repairs.clean });
  }

  /**
   * The slot map as this process acknowledges it: its writes have left, those that were put off among them, and
   * those that failed are on record. Until a repair is stored nobody but this process knows of it, and a slot that changed
   * sides without it would lose an acknowledged write.
   */
  #slotTopic(): FeedTopic {
    const { slots } = this;
    return {
      topic: slots.topic,
      load: (since) => slots.load(since),
      acting: async (seq) => {
        await slots.acting(seq);
        await this.repairs.stored();
      },
    };
  }
}
