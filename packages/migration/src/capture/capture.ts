import { asWherryError, backoffDelay, isWherryError, pause, type Component } from '@wherry/core';
import { CaptureRow } from './capture-row.ts';
import { FollowedCourse, type CaptureOptions } from './followed-course.ts';
import type { CaptureLag } from './lag-meter.ts';

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
