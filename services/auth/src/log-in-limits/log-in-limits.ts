import {
  WherryError,
  isWherryError,
  noMetrics,
  pause,
  systemClock,
  type Clock,
  type Counter,
  type Logger,
  type Metrics,
} from '@wherry/core';
import { controlError, type Database } from '@wherry/core/control';
import { bucketsOf, type Bucket } from './bucket.ts';
import { LocalBuckets, type Refusal } from './local-buckets.ts';
import type { LogInLimitOptions } from './options.ts';

/** Options of {@link LogInLimits}. */
export interface LogInLimitsOptions {
  readonly control: Database;
  readonly limits: LogInLimitOptions;
  readonly log: Logger;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
}

/** A log-in that may go on. */
export interface Allowance {
  /** The password was right: it does not count, and what had failed for the account from this address is forgotten. */
  succeeded(): Promise<void>;
  /** It came to no answer, through no fault of the caller: it does not count. */
  undecided(): Promise<void>;
}

/** Most refusals remembered here, so that who goes on trying does not reach the database. */
const MOST_REFUSED = 10_000;
/** Rows that go with one statement of a sweep, so that locks are held for a moment only; and most statements of one. */
const SWEEP = 1000;
const SWEEP_STATEMENTS = 100;

/**
 * Bounds the log-ins that fail: for an account, for an address, and for the two together (OWASP Authentication Cheat
 * Sheet, NIST SP 800-63B section 3.2.2). A log-in takes a token before its password is looked at, so that many at once
 * are bound as well, and gets it back when it has not failed: whoever knows his password is never slowed down by himself.
 * The buckets are shared by all instances; while control is away each counts by itself.
 */
export class LogInLimits {
  readonly #options: LogInLimitsOptions;
  readonly #clock: Clock;
  readonly #throttled: Counter;
  readonly #local = new LocalBuckets();
  /** Keys of buckets that were found empty, and until when (monotonic ms). */
  readonly #refused = new Map<string, number>();

  constructor(options: LogInLimitsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#throttled = (options.metrics ?? noMetrics).counter({
      name: 'wherry_auth_log_ins_throttled_total',
      help: 'Log-ins refused because too many had failed, by what was counted.',
      labels: ['limit'],
    });
  }

  /** Lets a log-in go on. `account` in its canonical form. Errors: `too_many_attempts`, with the seconds to wait. */
  async take(account: string | undefined, address: string | undefined): Promise<Allowance> {
    const buckets = bucketsOf(account, address, this.#options.limits);
    if (buckets.length === 0) return { succeeded: nothing, undecided: nothing };
    const known = this.#knownRefusal(buckets);
    if (known !== undefined) throw this.#refusal(known);
    const { refusal, shared } = await this.#take(buckets);
    if (refusal !== undefined) {
      this.#remember(refusal);
      throw this.#refusal(refusal);
    }
    const own = buckets.filter(({ kind }) => kind === 'account_and_address');
    return {
      succeeded: () => this.#giveBack(buckets, own, shared),
      undecided: () => this.#giveBack(buckets, [], shared),
    };
  }

  /** Forgets buckets that are full again. Any instance may, at any time. */
  async sweep(): Promise<void> {
    for (let n = 0; n < SWEEP_STATEMENTS; n++) {
      const { rowCount } = await this.#options.control.query(
        `DELETE FROM login_allowance WHERE bucket IN
         (SELECT bucket FROM login_allowance WHERE full_at < wherry_now() ORDER BY full_at LIMIT ${SWEEP} FOR UPDATE SKIP LOCKED)`,
      );
      if ((rowCount ?? 0) < SWEEP) return;
    }
  }

  async #take(buckets: readonly Bucket[]): Promise<{ readonly refusal: Refusal | undefined; readonly shared: boolean }> {
    const late = new AbortController();
    try {
      const asked = this.#takeShared(buckets);
      // Should it come too late it is counted twice, here and there.
      asked.catch(() => undefined);
      const answer = await Promise.race([asked, pause(this.#options.limits.controlMs ?? 1000, late.signal)]);
      if (answer !== undefined) return { refusal: answer === 'taken' ? undefined : answer, shared: true };
    } catch (error) {
      if (!isWherryError(controlError(error), 'control_unavailable')) throw error;
    } finally {
      late.abort();
    }
    return { refusal: this.#local.take(buckets, this.#clock.monotonic()), shared: false };
  }

  async #takeShared(buckets: readonly Bucket[]): Promise<Refusal | 'taken'> {
    const { rows } = await this.#options.control.query<{ refused: number; wait: bigint }>(
      'SELECT refused, wait FROM wherry_take_login($1, $2, $3)',
      [...columnsOf(buckets), buckets.map(({ size }) => size)],
    );
    const row = rows[0];
    const bucket = row === undefined ? undefined : buckets[row.refused - 1];
    return bucket === undefined || row === undefined ? 'taken' : { bucket, waitMs: Number(row.wait) };
  }

  /** A token that is not given back costs the user one try; his log-in stands. */
  async #giveBack(buckets: readonly Bucket[], emptied: readonly Bucket[], shared: boolean): Promise<void> {
    this.#local.giveBack(shared ? [] : buckets, emptied);
    if (!shared) return;
    try {
      await this.#options.control.query('SELECT wherry_return_login($1, $2, $3)', [...columnsOf(buckets), keysOf(emptied)]);
    } catch (error) {
      this.#options.log.warn('what a log-in had taken could not be given back', { error });
    }
  }

  #knownRefusal(buckets: readonly Bucket[]): Refusal | undefined {
    const now = this.#clock.monotonic();
    for (const bucket of buckets) {
      const until = this.#refused.get(bucket.key);
      if (until === undefined) continue;
      if (until > now) return { bucket, waitMs: until - now };
      this.#refused.delete(bucket.key);
    }
    return undefined;
  }

  #remember({ bucket, waitMs }: Refusal): void {
    const oldest = this.#refused.keys().next();
    if (this.#refused.size >= MOST_REFUSED && oldest.done !== true) this.#refused.delete(oldest.value);
    this.#refused.set(bucket.key, this.#clock.monotonic() + waitMs);
  }

  #refusal({ bucket, waitMs }: Refusal): WherryError {
    this.#throttled.inc({ limit: bucket.kind });
    return new WherryError('too_many_attempts', 'too many log-ins have failed; try again later', { retryAfter: Math.ceil(waitMs / 1000) });
  }
}

function columnsOf(buckets: readonly Bucket[]): readonly [readonly Buffer[], readonly number[]] {
  return [keysOf(buckets), buckets.map(({ refillMs }) => refillMs)];
}

function keysOf(buckets: readonly Bucket[]): readonly Buffer[] {
  return buckets.map(({ key }) => Buffer.from(key, 'hex'));
}

const nothing = async (): Promise<void> => undefined;
