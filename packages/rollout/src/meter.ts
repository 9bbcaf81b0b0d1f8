import { randomUUID } from 'node:crypto';
import { pause, silentLogger, systemClock, type Clock, type Component, type Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import type { RolloutArm } from './cohort.ts';
import { LATENCY_CLASSES, latencyClass } from './latency.ts';

/** Options of {@link RolloutMeter}. Times in milliseconds. */
export interface RolloutMeterOptions {
  readonly database: Database;
  /** The course that this instance acts on: what is counted is counted for it. */
  readonly course: () => number;
  /** How often counts are sent; default 2000. */
  readonly everyMs?: number;
  /** How long one row is added to; default 20000. */
  readonly rowMs?: number;
  readonly log?: Logger;
  readonly clock?: Clock;
}

/** Rows that wait while the database is away; older ones are given up. */
const MOST_WAITING = 30;

/** Counts of one arm. */
class Tally {
  ok = 0;
  unauthorized = 0;
  unavailable = 0;
  renewed = 0;
  renewalFailed = 0;
  compared = 0;
  differed = 0;
  signedOut = 0;
  readonly latency: number[] = Array.from({ length: LATENCY_CLASSES }, () => 0);

  /** Rises with every count. */
  get total(): number {
    return this.ok + this.unauthorized + this.unavailable + this.renewed + this.renewalFailed + this.compared + this.signedOut;
  }
}

/** Counts of a few seconds of one course. */
interface Row {
  readonly number: number;
  readonly course: number;
  readonly begunAt: number;
  readonly arms: Readonly<Record<RolloutArm, Tally>>;
  /** Totals that the database has. */
  readonly sent: Record<RolloutArm, number>;
}

/**
 * Sets a row of this writer to larger counts. A statement that was given up and arrives late finds larger ones and does
 * nothing; a repeat sets the same.
 */
const SEND = `
  INSERT INTO rollout_sample AS s (writer, number, arm, course, ok, unauthorized, unavailable, renewed, renewal_failed, compared, differed, signed_out, latency)
  SELECT $1, r.number, r.arm, r.course, r.ok, r.unauthorized, r.unavailable, r.renewed, r."renewalFailed", r.compared, r.differed, r."signedOut", r.latency
  FROM jsonb_to_recordset($2::jsonb) AS r (number int, arm text, course bigint, ok bigint, unauthorized bigint, unavailable bigint,
    renewed bigint, "renewalFailed" bigint, compared bigint, differed bigint, "signedOut" bigint, latency bigint[])
  ON CONFLICT (writer, number, arm) DO UPDATE SET (ok, unauthorized, unavailable, renewed, renewal_failed, compared, differed, signed_out, latency) =
    (excluded.ok, excluded.unauthorized, excluded.unavailable, excluded.renewed, excluded.renewal_failed, excluded.compared,
     excluded.differed, excluded.signed_out, excluded.latency)
  WHERE s.ok + s.unauthorized + s.unavailable + s.renewed + s.renewal_failed + s.compared + s.signed_out
    < excluded.ok + excluded.unauthorized + excluded.unavailable + excluded.renewed + excluded.renewal_failed + excluded.compared + excluded.signed_out`;

/**
 * Counts what this instance sees of each arm, in memory, and sends the counts every few seconds. A count costs some tens
 * of nanoseconds and waits for nothing; memory is bounded; what a database that is away for minutes misses is lost, since a guardrail
 * judges the present.
 */
export class RolloutMeter implements Component {
  readonly name = 'rollout-meter';
  readonly #options: RolloutMeterOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #writer = randomUUID();
  readonly #stop = new AbortController();
  #rows = 0;
  #current: Row;
  #waiting: Row[] = [];
  #loop: Promise<void> | undefined;
  #sending: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(options: RolloutMeterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
    this.#current = this.#newRow(-1);
  }

  /** A request that was judged. `ms`: how long it took. */
  request(arm: RolloutArm, outcome: 'ok' | 'unauthorized' | 'unavailable', ms: number): void {
    const tally = this.#tally(arm);
    tally[outcome]++;
    const index = latencyClass(ms);
    tally.latency[index] = (tally.latency[index] ?? 0) + 1;
  }

  /** A renewal that was asked for by a client that may have one. */
  renewal(arm: RolloutArm, outcome: 'ok' | 'failed'): void {
    const tally = this.#tally(arm);
    if (outcome === 'ok') tally.renewed++;
    else tally.renewalFailed++;
  }

  /** An access token that was compared with the session beside it. */
  compared(arm: RolloutArm, differs: boolean): void {
    const tally = this.#tally(arm);
    tally.compared++;
    if (differs) tally.differed++;
  }

  /** A log-in of a user whose last credential was refused, not given back. */
  loginAfterSignOut(arm: RolloutArm): void {
    this.#tally(arm).signedOut++;
  }

  async run(): Promise<void> {
    this.#loop = this.#sendOn();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.flush();
  }

  /** Sends what was counted until now. Never rejects: what could not be sent is sent the next time. */
  flush(): Promise<void> {
    this.#sending = this.#sending.then(() => this.#send());
    return this.#sending;
  }

  #tally(arm: RolloutArm): Tally {
    const course = this.#options.course();
    if (course !== this.#current.course) this.#turn(course);
    return this.#current.arms[arm];
  }

  /** Ends the present row. */
  #turn(course: number): void {
    if (unsent(this.#current)) this.#waiting.push(this.#current);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    this.#current = this.#newRow(course);
  }

  #newRow(course: number): Row {
    return {
      number: this.#rows++,
      course,
      begunAt: this.#clock.monotonic(),
      arms: { cohort: new Tally(), control: new Tally(), outside: new Tally() },
      sent: { cohort: 0, control: 0, outside: 0 },
    };
  }

  async #sendOn(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(this.#options.everyMs ?? 2000, this.#stop.signal);
      if (!this.#stop.signal.aborted) await this.flush();
    }
  }

  async #send(): Promise<void> {
    if (this.#clock.monotonic() - this.#current.begunAt >= (this.#options.rowMs ?? 20_000)) this.#turn(this.#current.course);
    const rows = [...this.#waiting, this.#current].filter(unsent);
    if (rows.length === 0) return;
    const parts = rows.flatMap((row) =>
      ARMS.filter((arm) => row.arms[arm].total > row.sent[arm]).map((arm) => ({ row, arm, total: row.arms[arm].total })),
    );
    const values = parts.map(({ row, arm }) => Object.assign({ number: row.number, course: row.course, arm }, row.arms[arm]));
    try {
      await this.#options.database.query(SEND, [this.#writer, JSON.stringify(values)]);
      for (const { row, arm, total } of parts) row.sent[arm] = total;
      this.#waiting = this.#waiting.filter(unsent);
      this.#failures = 0;
    } catch (error) {
      if (this.#failures++ === 0) this.#log.warn('the figures of the rollout could not be sent; trying again', { error });
    }
  }
}

const ARMS: readonly RolloutArm[] = ['cohort', 'control', 'outside'];

function unsent({ arms, sent }: Row): boolean {
  return ARMS.some((arm) => arms[arm].total > sent[arm]);
}
