import { isWherryError, pause, backoffDelay } from '@wherry/core';
import { controlError, isTransient } from '@wherry/core/control';
import type { Journal } from './journal/journal.ts';
import type { MigrationState, WorkOrder } from './journal/state.ts';
import type { ProgressListener } from './progress.ts';
import { NO_LIMITS, Throttle, type LatencyLimits, type StoreLatencies } from './throttle.ts';

/** The operator changed the goal while a step ran, or wants an end: the step stops at a safe place. */
export class GoalChanged extends Error {
  override readonly name = 'GoalChanged';
}

/** Options of {@link Pace}. */
export interface PaceOptions {
  readonly journal: Pick<Journal, 'order'>;
  readonly progress: ProgressListener;
  readonly signal: AbortSignal;
  /** Sessions a second of this process at most, whatever the operator's rate allows beyond it; 0: only that one counts. */
  readonly maxRate?: number;
  /** Sessions read and written at a time where the operator has said nothing; default 2000. */
  readonly batchSize?: number;
  /** How slow the stores may become before the work slows down; default: not looked at. */
  readonly limits?: LatencyLimits;
  /** How long a store that is away is waited for before a part is left to others, who may reach it; default 10 s. */
  readonly patienceMs?: number;
  /** Looks at the stores, where there are limits. */
  readonly look?: (limits: LatencyLimits) => Promise<StoreLatencies>;
}

/** What holds the work back. */
export interface PaceReport extends StoreLatencies {
  /** Share of the full speed that the stores' latencies leave, up to 1. */
  readonly share: number;
  /** How many workers share the operator's rate. */
  readonly workers: number;
}

/** Options of {@link Pace.unit}. */
export interface UnitOptions {
  /** How long an outage is waited for; then its error is thrown. Default: for ever. */
  readonly patienceMs?: number;
}

const READ_EVERY_MS = 250;
const LOOK_EVERY_MS = 500;
/** The longest rest between two units under slow stores. */
const LONGEST_REST_MS = 5000;
/** The smallest batch that a rate makes; what the operator or the configuration wants may be smaller. */
const SMALL_BATCH = 100;
const UNKNOWN: StoreLatencies = { sourceMs: null, targetMs: null, replicaLagMs: null };
const OUTAGES = new Set(['source_unavailable', 'shard_unavailable', 'control_unavailable', 'slot_not_owned', 'deadline_exceeded']);

/**
 * Between any two units of work: holds while the operator has paused, keeps to this process's share of the rate, slows down
 * while a store is slow, ends on the signal, and, when a store is away, waits until it is back and repeats the unit.
 * Units are repeatable without harm.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #signal: AbortSignal;
  readonly #progress: ProgressListener;
  readonly #limits: LatencyLimits;
  readonly #throttle: Throttle;
  #order: WorkOrder | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #goal: string | undefined;
  /** Sessions that were let through and have not been paid for with time yet. */
  #owed = 0;
  #paidAt = 0;
  #admittedAt = performance.now();
  #restUntil: number | undefined;
  #latencies = UNKNOWN;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking = false;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#signal = options.signal;
    this.#progress = options.progress;
    this.#limits = options.limits ?? NO_LIMITS;
    this.#throttle = new Throttle(this.#limits);
  }

  /**
   * Sessions to read and write at a time, as of the last look at the operator's wishes. Under a rate no more than half a
   * second of it, down to {@link SMALL_BATCH}: who is asked to go slowly goes evenly.
   */
  get batchSize(): number {
    const { batch = 0, ...order } = this.#order ?? { rate: 0, workers: 1 };
    const wished = batch === 0 ? (this.#options.batchSize ?? 2000) : batch;
    const rate = this.#rateOf(order);
    return rate === 0 ? wished : Math.min(wished, Math.max(SMALL_BATCH, Math.floor(rate / 2)));
  }

  /** For units of a part: another worker may reach the store that this one does not. */
  get ofPart(): UnitOptions {
    return { patienceMs: this.#options.patienceMs ?? 10_000 };
  }

  /** What holds the work back now. */
  get report(): PaceReport {
    return { share: this.#throttle.share, workers: Math.max(1, this.#order?.workers ?? 1), ...this.#latencies };
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Starts a step: a later change of the goal ends it. */
  begin(state: MigrationState): void {
    this.#goal = goalOf(state);
  }

  /** Runs one unit of `cost` sessions when it may run; the rate holds for units that cost something. Throws the signal's reason or {@link GoalChanged} at the boundary only. */
  async unit<T>(cost: number, work: () => Promise<T>, { patienceMs }: UnitOptions = {}): Promise<T> {
    await this.#admit(cost);
    let failingSince: number | undefined;
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error)) throw error;
        failingSince ??= performance.now();
        if (patienceMs !== undefined && performance.now() - failingSince >= patienceMs) throw error;
        if (attempt === 0) this.#progress.note(`waiting: ${isWherryError(error) ? error.message : 'a store does not answer'}`);
        await pause(100 + backoffDelay(attempt, { baseMs: 100, maxMs: 2000 }), this.#signal);
        this.#signal.throwIfAborted();
      }
    }
  }

  async #admit(cost: number): Promise<void> {
    let told = false;
    for (;;) {
      this.#signal.throwIfAborted();
      const order = await this.#read();
      if (this.#goal !== undefined && goalOf(order) !== this.#goal) throw new GoalChanged('the goal of the migration was changed');
      const waitMs = order.paused ? READ_EVERY_MS : this.#wait(cost, order);
      if (waitMs === 0) return;
      if (order.paused && !told) this.#progress.note('paused');
      told = order.paused;
      // The wish is read again meanwhile: a wait of minutes under a low rate ends when the rate is raised.
      await pause(Math.min(waitMs, READ_EVERY_MS), this.#signal);
    }
  }

  /** 0: the unit may run, and is paid for from now on. Else how long to wait, ms. */
  #wait(cost: number, order: WorkOrder): number {
    if (cost === 0) return 0;
    const share = this.#rateOf(order) * this.#throttle.share;
    if (share === 0) {
      this.#owed = 0;
      return this.#rest();
    }
    const now = performance.now();
    this.#owed = Math.max(0, this.#owed - ((now - this.#paidAt) / 1000) * share);
    this.#paidAt = now;
    // Less than a session is a rounding of the timer's.
    if (this.#owed >= 1) return Math.ceil((this.#owed / share) * 1000);
    this.#owed += cost;
    return 0;
  }

  /** One rate for all: each worker takes its part of it. A worker that died keeps its part until its lease is over. */
  #rateOf({ rate, workers }: Pick<WorkOrder, 'rate' | 'workers'>): number {
    return lowerRate(rate / Math.max(1, workers), this.#options.maxRate ?? 0);
  }

  /** Without a rate, a share of the speed is a rest as much longer than the work before it. */
  #rest(): number {
    const now = performance.now();
    const { share } = this.#throttle;
    this.#restUntil ??= now + Math.min(LONGEST_REST_MS, (now - this.#admittedAt) * (1 / share - 1));
    if (share < 1 && now < this.#restUntil) return Math.ceil(this.#restUntil - now);
    this.#restUntil = undefined;
    this.#admittedAt = now;
    return 0;
  }

  async #read(): Promise<WorkOrder> {
    this.#lookAtStores();
    if (this.#order !== undefined && performance.now() - this.#readAt < READ_EVERY_MS) return this.#order;
    try {
      this.#order = await this.#options.journal.order();
      this.#readAt = performance.now();
    } catch (error) {
      const converted = controlError(error);
      // With the control database away nothing new can be wished; the unit itself waits for it where it needs it.
      if (!isOutage(converted) || this.#order === undefined) throw converted;
    }
    return this.#order;
  }

  /** Beside the work, which does not wait for it. */
  #lookAtStores(): void {
    const { look } = this.#options;
    if (look === undefined || !this.#throttle.watches || this.#looking || performance.now() - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#looking = true;
    void look(this.#limits)
      .then((latencies) => {
        const before = this.#throttle.share;
        this.#latencies = latencies;
        if (this.#throttle.observe(latencies) < before && before === 1) this.#progress.note('slower: a store takes longer than it may');
      })
      .catch(() => undefined)
      .finally(() => {
        this.#lookedAt = performance.now();
        this.#looking = false;
      });
  }
}

/** The lower of two rates, of which 0 is none. */
function lowerRate(a: number, b: number): number {
  return a === 0 || b === 0 ? a + b : Math.min(a, b);
}

/** True for a fault that passes by itself when a store comes back. */
export function isOutage(error: unknown): boolean {
  return isWherryError(error) ? OUTAGES.has(error.code) : isTransient(error);
}

function goalOf({ goal, goalPercent, aborting, abortedAt }: MigrationState): string {
  return `${goal} ${goalPercent} ${aborting || abortedAt !== null}`;
}
