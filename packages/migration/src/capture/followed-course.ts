import { asWherryError, pause, type Logger, type WherryError } from '@wherry/core';
import type { FeedEvent, FeedPosition, FollowedFeed, SourceChangeFeed, SourcePage } from '@wherry/sessions';
import { applyChanges, type ApplyContext } from './apply-changes.ts';
import type { CaptureCheckpoint, CaptureRow } from './capture-row.ts';
import { LagMeter, type CaptureLag } from './lag-meter.ts';
import { Labels } from './labels.ts';
import { PendingChanges, type PendingChange } from './pending-changes.ts';
import { RaisedUsers } from './raised-users.ts';

/** Options of {@link Capture}. */
export interface CaptureOptions {
  readonly context: ApplyContext;
  readonly feed: SourceChangeFeed;
  /** True: the operator says that nobody writes past us any more; what is seen all the same is told. */
  readonly released: boolean;
  /** This process' instance id, as of now. */
  readonly instance: () => string;
  readonly log: Logger;
}

/** Sessions that are looked at together. */
const BATCH = 500;
/** Sessions with changes that wait; the feed is held up beyond. */
const MOST_WAITING = 5000;
const REPORT_EVERY_MS = 500;
/** How long a user waits at most, after all that he had was ended, until a log-in of his counts, if the feed keeps up. */
const SETTLE_EVERY_MS = 100;
/** How long one try to settle waits for what is on the way. */
const SETTLE_REACH_MS = 5000;
/** Sessions of one page of a pass over the source. */
const PASS_PAGE = 500;

/** One following of the feed, from the place that is written down to its end. */
export class FollowedCourse {
  readonly #options: CaptureOptions;
  readonly #row: CaptureRow;
  readonly #checkpoint: CaptureCheckpoint;
  readonly #labels: Labels;
  readonly #pending = new PendingChanges();
  readonly #lag: LagMeter;
  /** True: the feed has told of all sessions that were there when it began. */
  #presentTold = false;
  /** Another one: many sessions may have come or gone, of which nothing was told. */
  #sight = 0;
  /** Absent where a feed can miss something: it proves nothing. */
  readonly #raised: RaisedUsers | undefined;
  readonly #context: ApplyContext;
  #state: 'beginning' | 'live' = 'live';
  /** Up to here the feed was heard, applied, and written down. */
  #heard: FeedPosition | undefined;
  #applied: FeedPosition | undefined;
  #foreign = false;
  #strays = 0;
  #working: Promise<void> | undefined;
  #fault: WherryError | undefined;

  constructor(options: CaptureOptions, row: CaptureRow, checkpoint: CaptureCheckpoint) {
    this.#options = options;
    this.#row = row;
    this.#checkpoint = checkpoint;
    this.#labels = new Labels(checkpoint.base, checkpoint.ceiling, (ceiling) => row.raise(ceiling));
    this.#lag = new LagMeter(() => options.feed.head());
    this.#raised = options.feed.reliable ? new RaisedUsers(options.context, checkpoint) : undefined;
    this.#context = this.#raised === undefined ? options.context : { ...options.context, raised: this.#raised };
  }

  get lag(): CaptureLag | undefined {
    return this.#applied === undefined ? undefined : this.#lag.lag(this.#applied);
  }

  /** True when the target has what came before `head`, now or within `ms`. */
  async reaches(head: FeedPosition, ms: number): Promise<boolean> {
    const until = performance.now() + ms;
    while (!this.#hasApplied(head)) {
      if (performance.now() >= until || this.#fault !== undefined) return false;
      await pause(2);
    }
    return true;
  }

  #hasApplied({ history, at }: FeedPosition): boolean {
    return this.#state === 'live' && this.#applied !== undefined && this.#applied.history === history && this.#applied.at >= at;
  }

  /** Until the feed ends or `signal` aborts. Throws what the feed or a store threw. */
  async follow(signal: AbortSignal, well: () => void): Promise<void> {
    const { feed } = this.#options;
    const stop = new AbortController();
    const followed = feed.follow(this.#checkpoint.position, AbortSignal.any([signal, stop.signal]));
    const stopped = AbortSignal.any([signal, stop.signal]);
    const failed = (error: unknown): void => {
      this.#fault ??= asWherryError(error);
      stop.abort();
    };
    const reporting = this.#reporting(followed, stopped, well).catch(failed);
    const settling = this.#settling(stop, stopped).catch(failed);
    try {
      for await (const event of followed) {
        if (this.#fault !== undefined) break;
        await this.#hear(event);
        this.#work(stop);
        while (this.#pending.size >= MOST_WAITING && this.#working !== undefined) await this.#working;
      }
      // What was heard is applied; where it is not, it will be heard again.
      await this.#working;
      if (this.#fault === undefined && !signal.aborted) await this.#report(followed);
    } finally {
      stop.abort();
      await Promise.allSettled([this.#working, reporting, settling]);
    }
    if (this.#fault !== undefined && !signal.aborted) throw this.#fault;
  }

  async #hear(event: FeedEvent): Promise<void> {
    const { context, log } = this.#options;
    switch (event.type) {
      case 'begun':
        await this.#begin(event.position, event.resumed);
        break;
      case 'present':
        for (const rawId of event.rawIds) this.#pending.addPresent(rawId);
        break;
      case 'present-end':
        this.#presentTold = true;
        break;
      case 'changes': {
        const heardAt = context.now() - context.sourceOffsetMs();
        for (const change of event.changes) this.#pending.add(change, heardAt);
        this.#heard = event.position;
        this.#state = 'live';
        break;
      }
      case 'cleared':
        log.warn('the source was cleared by one command: both sides are compared anew', {});
        this.#raised?.lostSight();
        this.#presentTold = false;
        this.#sight++;
        await this.#row.lostSight();
        this.#heard = event.position;
        break;
    }
  }

  async #begin(position: FeedPosition, resumed: boolean): Promise<void> {
    const before = this.#checkpoint.position;
    if (!resumed) {
      // Places of the same history are the same places, however many were missed.
      if (before === null ? this.#labels.ceiling === 0 : before.history !== position.history) this.#labels.rebase(position.at);
      this.#state = 'beginning';
      this.#raised?.lostSight();
      await this.#row.begin(position, this.#labels.base, this.#labels.ceiling);
    }
    // A replica that was promoted may lack the removals of before.
    if (before?.history !== position.history) this.#raised?.unsettle();
    this.#heard = position;
    this.#applied = position;
  }

  /** Applies what waits, one batch after the other. */
  #work(stop: AbortController): void {
    this.#working ??= this.#apply()
      .catch((error: unknown) => {
        this.#fault ??= asWherryError(error);
        stop.abort();
      })
      .finally(() => (this.#working = undefined));
  }

  async #apply(): Promise<void> {
    const context = this.#context;
    while ((this.#pending.size > 0 || this.#heard !== this.#applied) && this.#fault === undefined) {
      const heard = this.#heard;
      if (heard === undefined) return;
      const taken = this.#pending.take();
      const presentTold = this.#presentTold;
      for (let at = 0; at < taken.length; at += BATCH) {
        let waiting: readonly PendingChange[] = taken.slice(at, at + BATCH);
        while (waiting.length > 0) {
          const { foreign, strays, again } = await applyChanges(context, waiting, await this.#labels.of(heard.at));
          this.#foreign ||= foreign;
          this.#strays += strays;
          if (again.length > 0) await context.slots.refresh();
          waiting = again;
        }
      }
      this.#applied = heard;
      this.#lag.reached(heard);
      if (presentTold && this.#presentTold) this.#raised?.becomeWhole();
    }
  }

  /** Sees to it that log-ins of raised users can be told from their sessions of before. */
  async #settling(stop: AbortController, signal: AbortSignal): Promise<void> {
    const raised = this.#raised;
    if (raised === undefined) return;
    const { feed } = this.#options;
    const course = { head: () => feed.head(), reaches: (head: FeedPosition) => this.reaches(head, SETTLE_REACH_MS) };
    while (!signal.aborted) {
      if (this.#state === 'live') {
        if (!raised.whole && !this.#presentTold && (await this.#pass(stop, signal))) raised.becomeWhole();
        await raised.settle(course);
      }
      await pause(SETTLE_EVERY_MS, signal);
    }
  }

  /**
   * Looks at every session that lives at the source. True when all were looked at, and nothing has made that worth nothing:
   * then each session that lived when the pass began has a row, or is known otherwise.
   */
  async #pass(stop: AbortController, signal: AbortSignal): Promise<boolean> {
    const { source } = this.#context;
    const sight = this.#sight;
    for (const partition of await source.partitions()) {
      let cursor: string | null = null;
      do {
        const page: SourcePage = await source.scan(partition, cursor, PASS_PAGE, signal);
        for (const { rawId } of page.sessions) this.#pending.addPresent(rawId);
        this.#work(stop);
        await this.#working;
        cursor = page.next;
      } while (cursor !== null && !signal.aborted);
    }
    return !signal.aborted && this.#fault === undefined && this.#sight === sight;
  }

  async #reporting(followed: FollowedFeed, signal: AbortSignal, well: () => void): Promise<void> {
    while (!signal.aborted) {
      await this.#lag.look();
      if (this.#applied !== undefined) {
        await this.#report(followed);
        well();
      }
      await pause(REPORT_EVERY_MS, signal);
    }
  }

  async #report(followed: FollowedFeed): Promise<void> {
    const position = this.#applied;
    if (position === undefined) return;
    const [foreign, strays] = [this.#foreign, this.#strays];
    const { whole, settled } = this.#raised ?? { whole: false, settled: 0n };
    [this.#foreign, this.#strays] = [false, 0];
    const { lagMs, lagBytes } = this.#lag.lag(position);
    await this.#row.report({
      state: this.#state,
      position,
      ceiling: this.#labels.ceiling,
      lagMs,
      lagBytes,
      foreign,
      strays,
      whole,
      settled,
    });
    followed.acknowledge(position);
  }
}
