import { setTimeout as delay } from 'node:timers/promises';

/** How long to wait between tries. Milliseconds. */
export interface BackoffOptions {
  /** Upper bound of the first wait; default 50. */
  readonly baseMs?: number;
  /** Upper bound of every wait; default 5000. */
  readonly maxMs?: number;
  /** Source of randomness in [0, 1); default Math.random. */
  readonly random?: () => number;
}

/**
 * The wait before try number `attempt` (0 = the first repeat): uniform between 0 and a bound that doubles, so that
 * clients which failed together do not come back together ("full jitter").
 */
export function backoffDelay(attempt: number, options: BackoffOptions = {}): number {
  const bound = Math.min(options.maxMs ?? 5000, (options.baseMs ?? 50) * 2 ** Math.min(attempt, 30));
  return (options.random ?? Math.random)() * bound;
}

/** Options of {@link retry}. */
export interface RetryOptions extends BackoffOptions {
  /** How many times `work` runs at most; default 5. */
  readonly attempts?: number;
  /** Which errors are worth another try; default all. */
  readonly retryable?: (error: unknown) => boolean;
  /** Ends the waiting; the last error is thrown. */
  readonly signal?: AbortSignal;
  /** Told before each wait. */
  readonly onRetry?: (error: unknown, attempt: number) => void;
}

/** Runs `work` until it succeeds, is not worth repeating, has used its attempts, or `signal` aborts. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const attempts = options.attempts ?? 5;
  const ended = (): boolean => options.signal?.aborted === true;
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt + 1 >= attempts || ended() || options.retryable?.(error) === false) throw error;
      options.onRetry?.(error, attempt);
      await pause(backoffDelay(attempt, options), options.signal);
      if (ended()) throw error;
    }
  }
}

/** Waits `ms`, or less when `signal` aborts. Never throws: the caller looks at the signal. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    // The only rejection is the abort, and the caller sees it in the signal.
  }
}
