import { isWherryError, type Component, type Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { readHotSessions, reportHotSessions, type HotSession, type SessionRuntime } from '@wherry/sessions';
import type { SessionCache } from '../session-cache.ts';
import type { HotCounter } from './hot-counter.ts';

/** Options of {@link WarmUp}. */
export interface WarmUpOptions {
  readonly runtime: SessionRuntime;
  readonly hot: HotCounter;
  readonly cache: SessionCache;
  /** Where gateways tell each other what is hot; absent: each one goes by its own. */
  readonly reports: Database | undefined;
  /** How often they do, milliseconds. */
  readonly everyMs: number;
  /** False: sessions are counted and nothing is read ahead. */
  readonly ahead: boolean;
  readonly log: Logger;
}

const REPORTED = 500;
const WARMED = 2000;
/** Look-ups under way: the shards gather them, and those of requests come first to nobody's harm. */
const AT_ONCE = 64;

/**
 * Has the sessions in memory that are asked for most, before somebody asks: those of slots whose primary side has just
 * changed to the target, of which nothing that was remembered counts any more, and all of them at the start.
 */
export class WarmUp implements Component {
  readonly name = 'gateway-warm-up';
  readonly #options: WarmUpOptions;
  #warmed = 0;
  #unfollow: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waiting: HotSession[] = [];
  #busy: Promise<void> | undefined;
  #reporting: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: WarmUpOptions) {
    this.#options = options;
  }

  /** Sessions read before somebody asked for them. */
  get warmed(): number {
    return this.#warmed;
  }

  async run(): Promise<void> {
    const { runtime, hot, reports, everyMs } = this.#options;
    this.#unfollow = runtime.slots.onChange((slots) => {
      const changed = new Set(slots);
      this.#warm(hot.top(WARMED).filter(({ key }) => changed.has(key.slot)));
    });
    if (reports === undefined) return;
    // What others find hot is hot here as well; a gateway works without it.
    await readHotSessions(reports, WARMED).then(
      (found) => this.#warm(found),
      (error: unknown) => this.#options.log.warn('hot sessions could not be read', { error }),
    );
    this.#timer = setInterval(() => {
      this.#reporting = this.#report(reports);
    }, everyMs);
    this.#timer.unref();
  }

  /** Resolves when nothing is being read ahead any more. */
  async settled(): Promise<void> {
    while (this.#busy !== undefined) await this.#busy;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unfollow?.();
    clearInterval(this.#timer);
    this.#waiting = [];
    await this.settled();
    await this.#reporting;
  }

  async #report(reports: Database): Promise<void> {
    const { runtime, hot, cache } = this.#options;
    const { hits, misses, joined } = cache.stats;
    const memory = { hits, misses: misses + joined, warmed: this.#warmed };
    await reportHotSessions(reports, runtime.instance.id, hot.top(REPORTED), memory).catch((error: unknown) => {
      if (!isWherryError(error, 'control_unavailable')) this.#options.log.warn('hot sessions could not be reported', { error });
    });
  }

  #warm(sessions: readonly HotSession[]): void {
    if (sessions.length === 0 || this.#stopped || !this.#options.ahead) return;
    this.#waiting.push(...sessions.slice(0, WARMED));
    this.#busy ??= this.#work().finally(() => (this.#busy = undefined));
  }

  async #work(): Promise<void> {
    const one = async (): Promise<void> => {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        // Whoever asks will be told what is wrong; nobody asked here.
        if (await this.#options.cache.warm(next).catch(() => false)) this.#warmed++;
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, this.#waiting.length) }, one));
  }
}
