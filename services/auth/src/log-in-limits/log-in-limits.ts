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
import type { KeyObject } from 'node:crypto';
import { bucketsOf, deviceBuckets, digestUnder, registrationBuckets, type Bucket, type Digest, type LogInBuckets } from './bucket.ts';
import { LocalBuckets, type Refusal } from './local-buckets.ts';
import { LocalKnown } from './local-known.ts';
import type { LogInLimitOptions } from './options.ts';

/** Options of {@link LogInLimits}. */
export interface LogInLimitsOptions {
  readonly control: Database;
  readonly limits: LogInLimitOptions;
  /** What names and addresses are digested under. */
  readonly key: KeyObject;
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

/** A refusal that holds still; `final`: also for a pair that is known. */
interface Remembered extends Refusal {
  readonly final: boolean;
}

/** What came of taking from the buckets; `known`: only from the pair's. */
interface Taken {
  readonly refusal: Refusal | undefined;
  readonly known: boolean;
  readonly shared: boolean;
}

/** Most refusals remembered here, so that who goes on trying does not reach the database. */
const MOST_REFUSED = 10_000;
/** Most addresses and devices from which an account is known; who has the password adds no more than these to the table. */
const MOST_KNOWN = 20;
const DAY_MS = 86_400_000;
/** Rows that go with one statement of a sweep, so that locks are held for a moment only; and most statements of one. */
const SWEEP = 1000;
const SWEEP_STATEMENTS = 100;

/**
 * Bounds the log-ins that fail: for an account, for an address, and for the two together (OWASP Authentication Cheat
 * Sheet, NIST SP 800-63B section 3.2.2). A log-in takes a token before its password is looked at, so that many at once
 * are bound as well, and gets it back when it has not failed: whoever knows his password is never slowed down by himself.
 * The buckets are shared by all instances; while control is away each counts by itself.
 *
 * What is counted over all addresses could be used up by others to keep the owner out. So an address from which an account
 * was signed in to lately is judged by the bucket of the two alone: it bounds the guesses from there, and nobody elsewhere
 * takes from it. Who shares the owner's address (NAT) shares that bucket, and no more than that; a device that has been
 * marked has one for itself, wherever it is.
 */
export class LogInLimits {
  readonly #options: LogInLimitsOptions;
  readonly #clock: Clock;
  readonly #digest: Digest;
  readonly #throttled: Counter;
  readonly #local = new LocalBuckets();
  readonly #localKnown = new LocalKnown();
  readonly #knownMs: number;
  /** Keys of buckets that were found empty, and of pairs that another's bucket refused, and until when (monotonic ms). */
  readonly #refused = new Map<string, { readonly bucket: Bucket; readonly until: number }>();

  constructor(options: LogInLimitsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#digest = digestUnder(options.key);
    this.#knownMs = (options.limits.knownAddressDays ?? 30) * DAY_MS;
    this.#throttled = (options.metrics ?? noMetrics).counter({
      name: 'wherry_auth_log_ins_throttled_total',
      help: 'Log-ins refused because too many had failed, by what was counted.',
      labels: ['limit'],
    });
  }

  /**
   * Lets a log-in go on. `account` in its canonical form; `device`: one that has proved to be the account's. Errors:
   * `too_many_attempts`, with the seconds to wait.
   */
  async take(account: string | undefined, address: string | undefined, device?: string): Promise<Allowance> {
    const { limits } = this.#options;
    const own = account === undefined || device === undefined ? undefined : deviceBuckets(account, device, limits, this.#digest);
    if (own !== undefined && (await this.#isKnown(own))) return this.#admit(own);
    return this.#admit(bucketsOf(account, address, limits, this.#digest));
  }

  /** Remembers a device on which the account has just signed in: from then on only its own failures count there. */
  async know(account: string, device: string): Promise<void> {
    const own = deviceBuckets(account, device, this.#options.limits, this.#digest);
    // It never rejects; and a log-in does not wait for a control database that is away.
    if (own !== undefined) await this.#inTime(this.#know(own, true, true));
  }

  /** Lets a registration go on; one that is `undecided` does not count. Errors: `too_many_registrations`, with the seconds to wait. */
  async takeRegistration(address: string | undefined): Promise<Pick<Allowance, 'undecided'>> {
    return this.#admit(registrationBuckets(address, this.#options.limits, this.#digest));
  }

  async #admit(buckets: LogInBuckets): Promise<Allowance> {
    if (buckets.all.length === 0) return { succeeded: nothing, undecided: nothing };
    const remembered = this.#remembered(buckets);
    if (remembered !== undefined && (remembered.final || !(await this.#isKnown(buckets)))) {
      if (!remembered.final) this.#remember(buckets, remembered);
      throw this.#refusal(remembered);
    }
    const { refusal, known, shared } = await this.#take(buckets);
    if (refusal !== undefined) {
      this.#remember(buckets, refusal);
      throw this.#refusal(refusal);
    }
    const taken = known && buckets.pair !== undefined ? [buckets.pair] : buckets.all;
    return {
      succeeded: async () => {
        await this.#giveBack(taken, buckets.pair === undefined ? [] : [buckets.pair], shared);
        await this.#know(buckets, known, shared);
      },
      undecided: () => this.#giveBack(taken, [], shared),
    };
  }

  /** Forgets buckets that are full again, and addresses that nobody has signed in from for long. Any instance may, at any time. */
  async sweep(): Promise<void> {
    await this.#sweep('login_allowance', 'bucket', 'full_at');
    await this.#sweep('login_known', 'account, pair', 'until');
  }

  async #sweep(table: string, key: string, until: string): Promise<void> {
    for (let n = 0; n < SWEEP_STATEMENTS; n++) {
      const { rowCount } = await this.#options.control.query(
        `DELETE FROM ${table} WHERE (${key}) IN
         (SELECT ${key} FROM ${table} WHERE ${until} < wherry_now() ORDER BY ${until} LIMIT ${SWEEP} FOR UPDATE SKIP LOCKED)`,
      );
      if ((rowCount ?? 0) < SWEEP) return;
    }
  }

  async #take(buckets: LogInBuckets): Promise<Taken> {
    // Should it come too late it is counted twice, here and there.
    const answer = await this.#inTime(this.#takeShared(buckets));
    if (answer !== undefined) return { ...answer, shared: true };
    const { all, pair } = buckets;
    const now = this.#clock.monotonic();
    const known = pair !== undefined && this.#localKnown.has(pair.key, now);
    return { refusal: this.#local.take(known ? [pair] : all, now), known, shared: false };
  }

  async #takeShared({ all, account }: LogInBuckets): Promise<Omit<Taken, 'shared'>> {
    const { rows } = await this.#options.control.query<{ refused: number; wait: bigint; known: boolean }>(
      'SELECT refused, wait, known FROM wherry_take_login($1, $2, $3, $4)',
      [...columnsOf(all), all.map(({ size }) => size), account === undefined || this.#knownMs === 0 ? null : Buffer.from(account, 'hex')],
    );
    const row = rows[0];
    const bucket = row === undefined ? undefined : all[row.refused - 1];
    return {
      refusal: bucket === undefined || row === undefined ? undefined : { bucket, waitMs: Number(row.wait) },
      known: row?.known === true,
    };
  }

  /** Whether the pair has signed in lately: a read without a lock, for the many that somebody else's failures refuse. */
  async #isKnown({ pair, account }: LogInBuckets): Promise<boolean> {
    if (pair === undefined || account === undefined || this.#knownMs === 0) return false;
    const asked = this.#options.control.query('SELECT FROM login_known WHERE account = $1 AND pair = $2 AND until > wherry_now()', [
      Buffer.from(account, 'hex'),
      Buffer.from(pair.key, 'hex'),
    ]);
    const answer = await this.#inTime(asked);
    if (answer !== undefined) return answer.rows.length > 0;
    // A device has its proof with it.
    return pair.kind === 'account_and_device' || this.#localKnown.has(pair.key, this.#clock.monotonic());
  }

  async #know({ pair, account }: LogInBuckets, known: boolean, shared: boolean): Promise<void> {
    if (pair === undefined || account === undefined || this.#knownMs === 0) return;
    const now = this.#clock.monotonic();
    // Written a short time ago, and still there.
    if (known && this.#localKnown.has(pair.key, now + 0.9 * this.#knownMs)) return;
    this.#localKnown.add(pair.key, now + this.#knownMs);
    this.#refused.delete(pair.key);
    if (!shared) return;
    try {
      const row = [Buffer.from(account, 'hex'), Buffer.from(pair.key, 'hex'), this.#knownMs, MOST_KNOWN];
      await this.#options.control.query('SELECT wherry_know_login($1, $2, $3, $4)', row);
    } catch (error) {
      this.#options.log.warn('from where a log-in came could not be remembered', { error });
    }
  }

  /** What control answers; undefined when it is away, or too late. */
  async #inTime<T>(asked: Promise<T>): Promise<T | undefined> {
    const late = new AbortController();
    asked.catch(() => undefined);
    try {
      const answer = await Promise.race([asked, pause(this.#options.limits.controlMs ?? 1000, late.signal)]);
      return answer ?? undefined;
    } catch (error) {
      if (!isWherryError(controlError(error), 'control_unavailable')) throw error;
      return undefined;
    } finally {
      late.abort();
    }
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

  #remembered({ all, pair }: LogInBuckets): Remembered | undefined {
    const now = this.#clock.monotonic();
    for (const { key } of all) {
      const found = this.#refused.get(key);
      if (found === undefined) continue;
      // One that is known passes by what refuses the others.
      if (found.until > now) return { bucket: found.bucket, waitMs: found.until - now, final: pair === undefined || key === pair.key };
      this.#refused.delete(key);
    }
    return undefined;
  }

  /** Under the bucket, which refuses others too, and under the pair, which then has no need to ask whether it is known. */
  #remember({ pair }: LogInBuckets, { bucket, waitMs }: Refusal): void {
    const until = this.#clock.monotonic() + waitMs;
    for (const key of new Set([bucket.key, pair?.key ?? bucket.key])) {
      const oldest = this.#refused.keys().next();
      if (this.#refused.size >= MOST_REFUSED && oldest.done !== true) this.#refused.delete(oldest.value);
      this.#refused.set(key, { bucket, until });
    }
  }

  #refusal({ bucket, waitMs }: Refusal): WherryError {
    const retryAfter = Math.ceil(waitMs / 1000);
    if (bucket.kind === 'registration')
      return new WherryError('too_many_registrations', 'too many have registered from here; try again later', { retryAfter });
    this.#throttled.inc({ limit: bucket.kind });
    return new WherryError('too_many_attempts', 'too many log-ins have failed; try again later', { retryAfter });
  }
}

function columnsOf(buckets: readonly Bucket[]): readonly [readonly Buffer[], readonly number[]] {
  return [keysOf(buckets), buckets.map(({ refillMs }) => refillMs)];
}

function keysOf(buckets: readonly Bucket[]): readonly Buffer[] {
  return buckets.map(({ key }) => Buffer.from(key, 'hex'));
}

const nothing = async (): Promise<void> => undefined;
