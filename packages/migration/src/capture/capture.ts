import { asWherryError, backoffDelay, isWherryError, pause, type Component, type Logger, type WherryError } from '@wherry/core';
import type { FeedEvent, FeedPosition, FollowedFeed, SourceChangeFeed } from '@wherry/sessions';
import { applyChanges, type ApplyContext } from './apply-changes.ts';
import { CaptureRow, type CaptureCheckpoint } from './capture-row.ts';
import { LagMeter, type CaptureLag } from './lag-meter.ts';
import { Labels } from './labels.ts';
import { PendingChanges, type PendingChange } from './pending-changes.ts';

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
const CLAIM_EVERY_MS = 500;
/** How long a switch waits for what is on the way; writers wait meanwhile. */
const REACH_MS = 200;

/**
 * Brings to the target what writers past us do to the sessions of a source. It follows the feed, applies what it tells
 * ({@link applyChanges}), and writes its place down after what came before it is durable: killed at any moment it is told
 * again what it may not have done, and does it again. One process captures at a time, for as long as its lease lives; what
 * one that lost it may still write loses by its label.
 */
export class Capture implements Component {
  readonly name = 'capture';
  readonly #options: CaptureOptions;
  readonly #row: CaptureRow;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #followed: FollowedCourse | undefined;

  constructor(options: CaptureOptions) {
    this.#options = options;
    this.#row = new CaptureRow(options.context.control, options.instance);
  }

  async run(): Promise<void> {
    this.#running = this.#capture();
    await Promise.resolve();
  }

  /** How far the target is behind; undefined while this process does not capture. */
  get lag(): CaptureLag | undefined {
    return this.#followed?.lag;
  }

  /** True when the target has all that the source had a moment ago, at the time of asking. False also where this process does not capture. */
  async caughtUp(): Promise<boolean> {
    const head = await this.#options.feed.head();
    return (await this.#followed?.reaches(head, REACH_MS)) ?? false;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#row.yieldLead().catch(() => undefined);
    await this.#options.feed.close();
  }

  async #capture(): Promise<void> {
    const { feed, log } = this.#options;
    const { signal } = this.#stop;
    let faults = 0;
    while (!signal.aborted) {
      try {
        const checkpoint = await this.#row.claim(feed.kind, feed.reliable, this.#options.released);
        if (checkpoint === undefined) {
          await pause(CLAIM_EVERY_MS, signal);
          continue;
        }
        this.#followed = new FollowedCourse(this.#options, this.#row, checkpoint);
        await this.#followed.follow(signal, () => {
          faults = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        const fault = asWherryError(error);
        if (!isWherryError(fault, 'lease_lost')) log.warn('the capture stops and begins again', { error });
        await this.#row.away(fault.code).catch(() => undefined);
        await pause(100 + backoffDelay(faults++, { baseMs: 100, maxMs: 3000 }), signal);
      } finally {
        this.#followed = undefined;
      }
    }
  }
}

/** One following of the feed, from the place that is written down to its end. */
class FollowedCourse {
  readonly #options: CaptureOptions;
  readonly #row: CaptureRow;
  readonly #checkpoint: CaptureCheckpoint;
  readonly #labels: Labels;
  readonly #pending = new PendingChanges();
  readonly #lag: LagMeter;
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
    const reporting = this.#reporting(followed, AbortSignal.any([signal, stop.signal]), well).catch((error: unknown) => {
      this.#fault ??= asWherryError(error);
      stop.abort();
    });
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
      await Promise.allSettled([this.#working, reporting]);
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
      await this.#row.begin(position, this.#labels.base, this.#labels.ceiling);
    }
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
    const { context } = this.#options;
    while ((this.#pending.size > 0 || this.#heard !== this.#applied) && this.#fault === undefined) {
      const heard = this.#heard;
      if (heard === undefined) return;
      const taken = this.#pending.take();
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
    }
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
    [this.#foreign, this.#strays] = [false, 0];
    const { lagMs, lagBytes } = this.#lag.lag(position);
    await this.#row.report({ state: this.#state, position, ceiling: this.#labels.ceiling, lagMs, lagBytes, foreign, strays });
    followed.acknowledge(position);
  }
}
