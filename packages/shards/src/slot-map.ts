import { WherryError, pause, silentLogger, systemClock, type Clock, type Logger } from '@wherry/core';
import { controlError, type Database, type FeedTopic } from '@wherry/core/control';
import type { PrimarySide, SlotEntry, SlotState } from './slot-entry.ts';
import { abortExpiredClosings, SLOT_MAP_TOPIC } from './slot-map-changes.ts';
import { Cohort, CohortPassage, type SlotPassage } from './slot-passage.ts';
import { SLOT_COUNT } from './slot.ts';

/** Options of {@link SlotMap}. */
export interface SlotMapOptions {
  readonly control: Database;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Options of {@link SlotMap.enter}. */
export interface EnterOptions {
  /** Longest wait for a slot that is closing, ms; default 2000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** One row of {@link LOAD}: the topic's head, and an entry unless nothing is newer. */
interface LoadedRow {
  readonly head: bigint;
  readonly now: bigint;
  readonly slot: number | null;
  readonly shard: number;
  readonly epoch: bigint;
  readonly primary_side: PrimarySide;
  readonly state: SlotState;
  readonly closing_until: bigint | null;
  readonly seq: bigint;
}

/** Head and rows in one statement, so in one snapshot: every row up to the head that it answers is among them. */
const LOAD = `
  SELECT h.head, wherry_now() AS now, m.slot, m.shard, m.epoch, m.primary_side, m.state, m.closing_until, m.seq
  FROM (SELECT coalesce((SELECT seq FROM feed_topic WHERE topic = $2), 0) AS head) h LEFT JOIN slot_map m ON m.seq > $1`;

const UNKNOWN = 0;
const OPEN = 1;
const CLOSING = 2;
const DEFAULT_ENTER_MS = 2000;

/**
 * The slot map in this process: who owns each slot, and which writes of this process are under way in it.
 *
 * A writer enters a slot, writes under the passage's epoch, and leaves. Acknowledging a version (`acting`) means that
 * no write is under way that entered a slot before that version changed it. So when every live process has acknowledged
 * a `closing`, nobody writes to that slot; and a process whose lease has lapsed meets the fence on the shard.
 */
export class SlotMap implements FeedTopic {
  readonly topic: string = SLOT_MAP_TOPIC;
  readonly #control: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #shard = new Int32Array(SLOT_COUNT);
  readonly #epoch = new Float64Array(SLOT_COUNT);
  readonly #side = new Uint8Array(SLOT_COUNT);
  readonly #state = new Uint8Array(SLOT_COUNT);
  readonly #seq = new BigInt64Array(SLOT_COUNT);
  /** When a closing ends by itself, on this machine's monotonic clock. */
  readonly #closingEnd = new Float64Array(SLOT_COUNT);
  readonly #cohorts: (Cohort | undefined)[] = Array.from({ length: SLOT_COUNT });
  readonly #leaving = new Set<Cohort>();
  readonly #listeners = new Set<(slots: readonly number[]) => void>();
  #changed = Promise.withResolvers<void>();
  #version = 0n;
  #loading: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(options: SlotMapOptions) {
    this.#control = options.control;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
  }

  /** The newest version known. 0n: nothing was loaded. */
  get version(): bigint {
    return this.#version;
  }

  /** Loads what is newer than known and answers the version reached. Throws `control_unavailable`. */
  async load(since: bigint): Promise<bigint> {
    await this.refresh();
    return this.#version > since ? this.#version : since;
  }

  /** Resolves when every write has left that entered a slot before a change of version `seq` or earlier. */
  async acting(seq: bigint): Promise<void> {
    const cohorts = [...this.#leaving].filter(({ retiredAt }) => retiredAt !== undefined && retiredAt <= seq);
    await Promise.all(cohorts.map(({ gone }) => gone));
  }

  /**
   * Loads what is newer than known: every change that was committed before the call. Calls that come while one is
   * under way share the next one. Throws `control_unavailable`.
   */
  async refresh(): Promise<void> {
    if (this.#loading === undefined) {
      this.#loading = this.#load().finally(() => (this.#loading = undefined));
      return this.#loading;
    }
    // The one under way may have read before what the caller wants to see.
    this.#queued ??= this.#loading
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.refresh();
      });
    return this.#queued;
  }

  /** The right to write to `slot`, or undefined while it cannot be had without waiting. */
  tryEnter(slot: number): SlotPassage | undefined {
    if (this.#state[slot] !== OPEN) return undefined;
    const cohort = (this.#cohorts[slot] ??= new Cohort());
    return new CohortPassage(slot, this.shardOf(slot), this.epochOf(slot), this.#sideOf(slot), cohort);
  }

  /**
   * The right to write to `slot`. Waits while the slot is closing; when the closer has let its deadline pass, opens the
   * slot again in its place. Throws `slot_not_owned` after `timeoutMs` or on abort.
   */
  async enter(slot: number, options: EnterOptions = {}): Promise<SlotPassage> {
    const direct = this.tryEnter(slot);
    if (direct !== undefined) return direct;
    const deadline = this.#clock.monotonic() + (options.timeoutMs ?? DEFAULT_ENTER_MS);
    let cause: unknown;
    for (let turn = 0; ; turn++) {
      const passage = this.tryEnter(slot);
      if (passage !== undefined) return passage;
      const now = this.#clock.monotonic();
      if (now >= deadline || options.signal?.aborted === true) break;
      const closing = this.#state[slot] === CLOSING;
      const overdue = closing && now >= (this.#closingEnd[slot] ?? 0);
      // News comes with the feed; from the second turn on it is asked for as well, should the feed be slow.
      const wait = Math.max(1, Math.min(deadline - now, 50, closing && !overdue ? (this.#closingEnd[slot] ?? 0) - now : 50));
      if (overdue || !closing || turn > 0) {
        cause = await this.#reopen(overdue).catch((error: unknown) => error);
        if (this.#state[slot] === OPEN) continue;
      }
      await this.#change(wait, options.signal);
    }
    throw new WherryError('slot_not_owned', 'the slot did not open for writing in time', { cause, data: { slot } });
  }

  /** What is known of a slot. Throws `slot_not_owned` while nothing is. */
  entry(slot: number): SlotEntry {
    const state = this.#state[slot] ?? UNKNOWN;
    if (state === UNKNOWN) throw new WherryError('slot_not_owned', 'the slot map has no owner for the slot', { data: { slot } });
    return {
      slot,
      shard: this.shardOf(slot),
      epoch: this.epochOf(slot),
      side: this.#sideOf(slot),
      state: state === OPEN ? 'open' : 'closing',
      seq: this.#seq[slot] ?? 0n,
    };
  }

  /** Index of the shard that owns `slot`; 0 while nothing is known. */
  shardOf(slot: number): number {
    return this.#shard[slot] ?? 0;
  }

  /** Epoch of the slot's ownership; 0 while nothing is known. */
  epochOf(slot: number): number {
    return this.#epoch[slot] ?? 0;
  }

  /** True when `slot` has an owner here. */
  knows(slot: number): boolean {
    return (this.#state[slot] ?? UNKNOWN) !== UNKNOWN;
  }

  /** How many slots each shard owns, by primary side. */
  counts(): readonly { readonly shard: number; readonly source: number; readonly target: number; readonly closing: number }[] {
    const counts = new Map<number, { shard: number; source: number; target: number; closing: number }>();
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      if (!this.knows(slot)) continue;
      const shard = this.shardOf(slot);
      const count = counts.get(shard) ?? { shard, source: 0, target: 0, closing: 0 };
      counts.set(shard, count);
      count[this.#sideOf(slot)]++;
      if (this.#state[slot] === CLOSING) count.closing++;
    }
    return [...counts.values()].toSorted((a, b) => a.shard - b.shard);
  }

  /** Calls `listener` with the slots that changed, right after each change. Answers how to stop. */
  onChange(listener: (slots: readonly number[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #load(): Promise<void> {
    const sent = this.#clock.monotonic();
    let rows: LoadedRow[];
    try {
      ({ rows } = await this.#control.query<LoadedRow>(LOAD, [this.#version, SLOT_MAP_TOPIC]));
    } catch (error) {
      throw controlError(error);
    }
    const changed: number[] = [];
    for (const row of rows) if (this.#apply(row, sent)) changed.push(row.slot ?? 0);
    const head = rows[0]?.head ?? 0n;
    if (head > this.#version) this.#version = head;
    if (changed.length === 0) return;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
    for (const listener of this.#listeners) listener(changed);
  }

  #apply(row: LoadedRow, sent: number): boolean {
    const { slot } = row;
    if (slot === null || slot >= SLOT_COUNT || row.seq <= (this.#seq[slot] ?? 0n)) return false;
    const cohort = this.#cohorts[slot];
    if (cohort !== undefined) {
      this.#cohorts[slot] = undefined;
      cohort.retire(row.seq);
      if (cohort.occupied) {
        this.#leaving.add(cohort);
        void cohort.gone.then(() => this.#leaving.delete(cohort));
      }
    }
    this.#shard[slot] = row.shard;
    this.#epoch[slot] = Number(row.epoch);
    this.#side[slot] = row.primary_side === 'target' ? 1 : 0;
    this.#state[slot] = row.state === 'open' ? OPEN : CLOSING;
    this.#seq[slot] = row.seq;
    // Counted from the sending, this is before the true end by less than the round trip; the abort checks the true one.
    this.#closingEnd[slot] = row.closing_until === null ? 0 : sent + Number(row.closing_until - row.now);
    return true;
  }

  async #reopen(overdue: boolean): Promise<unknown> {
    if (overdue && (await abortExpiredClosings(this.#control)) !== undefined) {
      this.#log.warn('slots were left closing past their deadline and are open again');
    }
    await this.refresh();
    return undefined;
  }

  /** Waits for a change, at most `ms`. */
  async #change(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const done = new AbortController();
    const end = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal]);
    await Promise.race([this.#changed.promise, pause(ms, end)]);
    done.abort();
  }

  #sideOf(slot: number): PrimarySide {
    return this.#side[slot] === 1 ? 'target' : 'source';
  }
}
