import { WherryError, silentLogger, type Logger } from '@wherry/core';
import { SourceOffset, type SessionDecoder, type SessionRuntime, type SourceChangeFeed, type SourceStore } from '@wherry/sessions';
import type { ApplyStep } from './capture/apply-changes.ts';
import { Capture } from './capture/capture.ts';
import { keptGenerations } from './capture/kept-generations.ts';
import { labelledSource } from './capture/labelled-source.ts';
import type { MigrationContext } from './context.ts';
import { Journal } from './journal/journal.ts';
import type { JournalPoint } from './journal/points.ts';
import { Migrator } from './migrator.ts';
import { Pace } from './pace.ts';
import { silentProgress, type ProgressListener } from './progress.ts';
import { lookAtStores } from './store-watch.ts';
import { NO_LIMITS, type LatencyLimits } from './throttle.ts';

/** Options of {@link createMigration}. Times in milliseconds. */
export interface MigrationOptions {
  /** A running session side of role `migrator`. */
  readonly runtime: SessionRuntime;
  readonly source: SourceStore;
  readonly decode: SessionDecoder;
  /**
   * `instrumented`: applications whose store is wrapped write while it runs. `captured`: others write past us, and `capture`
   * tells what; then no slot leaves the source. `none`: nobody writes to the source.
   */
  readonly writers: 'instrumented' | 'captured' | 'none';
  /** The source's changes. Needed from the first `captured` run until the last slot is at the target; closed with the migrator. */
  readonly capture?: SourceChangeFeed;
  /** Ends it at the next safe place. */
  readonly signal: AbortSignal;
  /** Life of a session without an idle time of its own; default one day. */
  readonly defaultIdleMs?: number;
  /** Life of a tombstone in the source: longest session + longest repair; default 31 days. */
  readonly tombstoneMs?: number;
  /** Sessions read from a store and written at a time, 1 to 5000, where the operator has said nothing; default 2000. */
  readonly batchSize?: number;
  /** Sessions a second of this process at most, whatever its share of the operator's rate; 0, the default: only that one counts. */
  readonly maxRate?: number;
  /** How long a store that is away is waited for before a part is left to other workers; default 10000. */
  readonly patienceMs?: number;
  /** How slow the stores may become before the work slows down; default: not looked at. */
  readonly limits?: LatencyLimits;
  /** Grace after which a difference is looked at again; default 2000. */
  readonly graceMs?: number;
  /** How long shadow reads run at least; default 10000. */
  readonly shadowMs?: number;
  readonly progress?: ProgressListener;
  readonly log?: Logger;
  /** Awaited at every point of the journal; for tests. */
  readonly at?: (point: JournalPoint) => Promise<void>;
  /** Awaited between the steps by which the capture applies changes; for tests. */
  readonly captureAt?: (step: ApplyStep) => Promise<void>;
}

/** A migration and what its steps work with. */
export interface Migration {
  readonly migrator: Migrator;
  readonly context: MigrationContext;
}

const DAY_MS = 86_400_000;

/**
 * Puts a migration together on a running session side. Errors: `source_unavailable` when the source's clock cannot be read;
 * `config_invalid` for writers that are captured by nothing.
 */
export async function createMigration(options: MigrationOptions): Promise<Migration> {
  if (options.writers === 'captured' && options.capture === undefined)
    throw new WherryError('config_invalid', 'writers are to be captured, and nothing is configured that could: migrator.capture is "off"');
  const { runtime, signal } = options;
  const source = runtime.watch(options.source);
  const progress = options.progress ?? silentProgress;
  const log = options.log ?? silentLogger;
  const offset = new SourceOffset(source, runtime.now);
  await offset.measure();
  const journal = new Journal({
    database: runtime.control,
    instance: () => runtime.instance.id,
    log,
    ...(options.at === undefined ? {} : { at: options.at }),
  });
  const shared: Omit<MigrationContext, 'capture'> = {
    control: runtime.control,
    source: labelledSource(source, runtime.control, runtime.slots),
    decode: options.decode,
    refs: runtime.refs,
    defaultIdleMs: options.defaultIdleMs ?? DAY_MS,
    tombstoneMs: options.tombstoneMs ?? 31 * DAY_MS,
    target: keptGenerations(runtime.target, runtime.control, runtime.ended),
    shards: runtime.shards,
    slots: runtime.slots,
    ended: runtime.ended,
    revocations: runtime.revocations,
    repairs: runtime.repairs,
    journal,
    pace: new Pace({
      journal,
      progress,
      signal,
      maxRate: options.maxRate ?? 0,
      batchSize: options.batchSize ?? 2000,
      limits: options.limits ?? NO_LIMITS,
      patienceMs: options.patienceMs ?? 10_000,
      look: (limits) => lookAtStores({ source, shards: runtime.shards, limits, signal }),
    }),
    worker: {
      check: (id) => {
        if (!runtime.instance.holdsLease(id)) throw new WherryError('lease_lost', 'the lease of this worker is over');
      },
    },
    now: runtime.now,
    sourceOffsetMs: offset.ms,
    sourceDoubted: source.doubted,
    graceMs: options.graceMs ?? 2000,
    progress,
    log,
  };
  const capture =
    options.capture === undefined
      ? undefined
      : new Capture({
          context: { ...shared, source, target: runtime.target, ...(options.captureAt === undefined ? {} : { at: options.captureAt }) },
          feed: options.capture,
          released: options.writers !== 'captured',
          instance: () => runtime.instance.id,
          log,
        });
  const context: MigrationContext = capture === undefined ? shared : { ...shared, capture };
  const migrator = new Migrator({
    context,
    ...(capture === undefined ? {} : { capture }),
    instance: runtime.instance,
    writers: options.writers,
    shadowMs: options.shadowMs ?? 10_000,
  });
  return { migrator, context };
}
