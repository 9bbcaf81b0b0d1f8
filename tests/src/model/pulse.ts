import { pause } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import type { SourceStore } from '@wherry/sessions';
import type { LedgerClock } from './ledger.ts';

const BEAT_EVERY_MS = 25;
/** Longer than any process goes by one measuring of a clock. */
const WINDOW_MS = 12_000;
/** Beyond what the beats show: a statement may have been slow while they were not. */
const LEAST_DOUBT_MS = 200;

interface Beat {
  readonly at: number;
  /** Since the beat before, ms. */
  readonly tookMs: number;
  /** Control's clock less this machine's, ms. */
  readonly offsetMs: number;
}

/**
 * The servers' clock as it can be known here. Processes measure clocks by asking for the time, so they are wrong by as
 * long as an answer takes: whatever holds up answers, or this machine, shows in how far apart the beats are.
 */
export class Pulse implements LedgerClock {
  readonly #control: Database;
  readonly #stop = new AbortController();
  #beats: Beat[] = [];
  #beating: Promise<void> | undefined;
  /** Asked for its time as well, where there is one. */
  source: SourceStore | undefined;

  private constructor(control: Database) {
    this.#control = control;
  }

  static async start(control: Database): Promise<Pulse> {
    const pulse = new Pulse(control);
    await pulse.#beat(performance.now());
    pulse.#beating = pulse.#run();
    return pulse;
  }

  now(): number {
    let best = this.#beats[0];
    for (const beat of this.#beats) if (best === undefined || beat.tookMs < best.tookMs) best = beat;
    return Date.now() + (best?.offsetMs ?? 0);
  }

  doubtMs(): number {
    // The one that is under way may be long already.
    const since = performance.now() - (this.#beats.at(-1)?.at ?? 0);
    return LEAST_DOUBT_MS + Math.max(since, ...this.#beats.map(({ tookMs }) => tookMs));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#beating;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const last = this.#beats.at(-1)?.at ?? performance.now();
      await pause(BEAT_EVERY_MS, this.#stop.signal);
      await this.#beat(last).catch(() => undefined);
    }
  }

  async #beat(last: number): Promise<void> {
    const sent = Date.now();
    const [{ rows }] = await Promise.all([
      this.#control.query<{ now: bigint }>('SELECT wherry_now() AS now'),
      this.source?.now().catch(() => undefined),
    ]);
    const answered = Date.now();
    const at = performance.now();
    this.#beats = this.#beats.filter((beat) => beat.at > at - WINDOW_MS);
    this.#beats.push({ at, tookMs: at - last, offsetMs: Math.round(Number(rows[0]?.now ?? 0n) - (sent + answered) / 2) });
  }
}
