import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import { WherryError } from './errors.ts';
import type { Logger } from './log.ts';
import { silentLogger } from './log.ts';

/**
 * Something with a life. The three calls come at most once each, in this order; `drain` and `stop` may come without
 * `run` having finished, and must not throw because of that.
 */
export interface Component {
  readonly name: string;
  /** Becomes ready. What it resolves to is ready for those that are started after it. */
  run?(): Promise<void>;
  /** Takes no new work and finishes what is under way. Bounded by the deadline: `signal` aborts at its end. */
  drain?(signal: AbortSignal): Promise<void>;
  /** Lets go of everything. Those started after it have stopped already. */
  stop?(): Promise<void>;
}

/** Options of {@link Lifecycle}. */
export interface LifecycleOptions {
  readonly log?: Logger;
  readonly clock?: Clock;
  /** Bound on all drains together in milliseconds; default 10000. */
  readonly drainMs?: number;
  /** Bound on each stop in milliseconds; default 5000. */
  readonly stopMs?: number;
}

/** Starts components in the order in which they were added and ends them in reverse: all drain first, then all stop. */
export class Lifecycle {
  readonly #components: Component[] = [];
  readonly #started: Component[] = [];
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #drainMs: number;
  readonly #stopMs: number;
  readonly #ended = Promise.withResolvers<void>();
  #state: 'new' | 'running' | 'draining' | 'stopped' = 'new';
  #ending: Promise<void> | undefined;

  constructor(options: LifecycleOptions = {}) {
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#drainMs = options.drainMs ?? 10_000;
    this.#stopMs = options.stopMs ?? 5000;
  }

  /** Adds a component behind those it needs. Only before `run`. */
  add<C extends Component>(component: C): C {
    if (this.#state !== 'new') throw new Error(`component ${component.name} was added after the start`);
    this.#components.push(component);
    return component;
  }

  /** True between a successful start and the first wish to end: the readiness probe. */
  get ready(): boolean {
    return this.#state === 'running';
  }

  /** Resolves when everything has stopped. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Starts all in order. When one fails, those already started are ended and the failure is thrown. When the wish to
   * end comes during the start, no more are started, and this resolves, not `ready`, when all have ended.
   */
  async run(): Promise<void> {
    try {
      for (const component of this.#components) {
        if (this.#ending !== undefined) break;
        this.#started.push(component);
        await component.run?.();
      }
    } catch (error) {
      const wished = this.#ending !== undefined;
      await this.end();
      if (!wished) throw error;
    }
    if (this.#ending === undefined) this.#state = 'running';
    else await this.#ending;
  }

  /** Drains and stops all, in reverse order. Repeated calls join the first. A component that fails does not keep the others from ending. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  /** Ends on SIGTERM and SIGINT. A second signal of either kind ends the process at once. */
  endOnSignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (this.#ending !== undefined) process.exit(1);
        this.#log.info('ending', { signal });
        void this.end();
      });
    }
  }

  async #end(): Promise<void> {
    this.#state = 'draining';
    const begun = this.#clock.monotonic();
    const reversed = this.#started.toReversed();
    const deadline = new AbortController();
    // This timer keeps the process alive: one that ended while a drain hangs would leave its stops undone.
    const timer = setTimeout(() => deadline.abort(), this.#drainMs);
    for (const component of reversed) {
      await this.#attempt(component, 'drain', () => bounded(component.drain?.(deadline.signal), deadline.signal));
    }
    clearTimeout(timer);
    for (const component of reversed) await this.#attempt(component, 'stop', () => this.#stopped(component));
    this.#state = 'stopped';
    this.#log.info('ended', { milliseconds: Math.round(this.#clock.monotonic() - begun) });
    this.#ended.resolve();
  }

  /** Stops one component. One that hangs must not keep the others from letting go. */
  async #stopped(component: Component): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#stopMs);
    try {
      await bounded(component.stop?.(), late.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async #attempt(component: Component, step: 'drain' | 'stop', work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.error('component failed to end', { component: component.name, step, error });
    }
  }
}

/** Waits for `work`; throws `deadline_exceeded` at the abort. What `work` does later, even a failure, is nobody's any more. */
async function bounded(work: Promise<void> | undefined, deadline: AbortSignal): Promise<void> {
  if (work === undefined) return;
  const late = Promise.withResolvers<never>();
  const onAbort = (): void => late.reject(new WherryError('deadline_exceeded', 'it did not end within its deadline'));
  deadline.addEventListener('abort', onAbort, { once: true });
  if (deadline.aborted) onAbort();
  try {
    await Promise.race([work, late.promise]);
  } finally {
    deadline.removeEventListener('abort', onAbort);
  }
}
