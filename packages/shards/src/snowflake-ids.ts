import { randomUUID } from 'node:crypto';
import { WherryError, silentLogger, systemClock, type Clock, type Component, type Logger } from '@wherry/core';
import { controlError, type Database } from '@wherry/core/control';
import { Snowflake, type SnowflakeWorker } from './snowflake.ts';

/** Options of {@link SnowflakeIds}. Times in milliseconds. */
export interface SnowflakeIdsOptions {
  readonly control: Database;
  /** How long a worker id is kept without renewal; default 10000. */
  readonly leaseMs?: number;
  /** How often it is renewed, and times are reserved; default 1000. */
  readonly renewMs?: number;
  /** How far ahead of the clock times are reserved; default 3000. */
  readonly aheadMs?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Clocks that differ by more than this from the control database's make no ids: a reservation must not run away with one. */
const MOST_SKEW_MS = 5000;

/** Takes the worker id that was unused for longest, and reserves its first times in the same statement. */
const TAKE = `
  WITH free AS (
    SELECT id, high_water FROM worker_id WHERE lease_until < wherry_now() AND high_water < $2::bigint
      AND abs($2::bigint - wherry_now()) <= $5
    ORDER BY high_water, id LIMIT 1 FOR UPDATE SKIP LOCKED)
  UPDATE worker_id w SET holder = $1, lease_until = wherry_now() + $3, high_water = $2::bigint + $4::bigint
  FROM free WHERE w.id = free.id RETURNING w.id, free.high_water AS before, w.high_water`;
const RENEW = `
  UPDATE worker_id SET lease_until = wherry_now() + $3,
    high_water = CASE WHEN $2::bigint - wherry_now() <= $5 THEN greatest(high_water, $2::bigint + $4::bigint) ELSE high_water END
  WHERE id = $6 AND holder = $1 AND lease_until > wherry_now() RETURNING high_water`;
/** Given back, with no more marked as used than is. */
const RELEASE = 'UPDATE worker_id SET holder = NULL, lease_until = 0, high_water = least(high_water, $3) WHERE id = $2 AND holder = $1';

interface Held {
  readonly id: number;
  readonly snowflake: Snowflake;
  reservedUntil: number;
  /** On the monotonic clock, from the sending of the last renewal. */
  leaseEnd: number;
}

/**
 * Time-ordered ids under a worker id that is leased from the control database. A lost lease is followed by another
 * worker id; while control is away, ids are made as long as lease and reservation last.
 */
export class SnowflakeIds implements Component {
  readonly name = 'snowflake-ids';
  readonly #control: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #aheadMs: number;
  readonly #holder = randomUUID();
  #held: Held | undefined;
  #renewing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SnowflakeIdsOptions) {
    this.#control = options.control;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
    this.#leaseMs = options.leaseMs ?? 10_000;
    this.#renewMs = options.renewMs ?? 1000;
    this.#aheadMs = options.aheadMs ?? 3000;
  }

  /** The worker id that is held; undefined before `run` and after a loss. */
  get workerId(): number | undefined {
    return this.#held?.id;
  }

  /** Takes a worker id. Throws `id_worker_lost` when none is free or the clock is off, `control_unavailable`. */
  async run(): Promise<void> {
    await this.#renew();
    this.#schedule();
  }

  /** The next id. Throws `id_clock_backwards`, `id_worker_lost`, `control_unavailable`. */
  async next(): Promise<bigint> {
    if (this.#held === undefined || this.#held.leaseEnd <= this.#clock.monotonic()) await this.#renew();
    if (this.#held === undefined) throw new WherryError('id_worker_lost', 'no worker id is held');
    return this.#held.snowflake.next();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#renewing?.catch(() => undefined);
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    const used = Math.min(held.reservedUntil, Math.max(held.snowflake.lastTime, 0));
    await this.#control
      .query(RELEASE, [this.#holder, held.id, used])
      .catch((error: unknown) => this.#log.warn('the worker id could not be given back; it will lapse', { error }));
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#renew()
        .catch((error: unknown) => this.#log.warn('the worker id could not be renewed; trying again', { error }))
        .finally(() => {
          if (!this.#stopped) this.#schedule();
        });
    }, this.#renewMs).unref();
  }

  #renew(): Promise<void> {
    this.#renewing ??= this.#renewOrTake().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renewOrTake(): Promise<void> {
    if (this.#stopped) return;
    const held = this.#held;
    try {
      if (held !== undefined && (await this.#extend(held))) return;
      if (held !== undefined) this.#log.warn('the lease of a worker id was lost; taking another', { worker: held.id });
      this.#held = undefined;
      await this.#take();
    } catch (error) {
      throw controlError(error);
    }
  }

  async #extend(held: Held): Promise<boolean> {
    const sent = this.#clock.monotonic();
    const { rows } = await this.#control.query<{ high_water: bigint }>(RENEW, [
      this.#holder,
      this.#clock.now(),
      this.#leaseMs,
      this.#aheadMs,
      MOST_SKEW_MS,
      held.id,
    ]);
    const [row] = rows;
    if (row === undefined) return false;
    held.reservedUntil = Number(row.high_water);
    held.leaseEnd = sent + this.#leaseMs;
    return true;
  }

  async #take(): Promise<void> {
    const sent = this.#clock.monotonic();
    const values = [this.#holder, this.#clock.now(), this.#leaseMs, this.#aheadMs, MOST_SKEW_MS];
    const { rows } = await this.#control.query<{ id: number; before: bigint; high_water: bigint }>(TAKE, values);
    const [row] = rows;
    if (row === undefined) {
      throw new WherryError(
        'id_worker_lost',
        'no worker id is free, or the clock differs by more than 5 s from that of the control database',
      );
    }
    this.#held = this.#hold(row.id, Number(row.before), Number(row.high_water), sent + this.#leaseMs);
  }

  #hold(id: number, after: number, reservedUntil: number, leaseEnd: number): Held {
    const clock = this.#clock;
    const isHeld = (): boolean => this.#held === held;
    const renew = async (): Promise<void> => this.#renew();
    const worker: SnowflakeWorker = {
      id,
      get reservedUntil() {
        return held.reservedUntil;
      },
      get valid() {
        return isHeld() && clock.monotonic() < held.leaseEnd;
      },
      reserve: async () => {
        const before = held.reservedUntil;
        await renew();
        // The clock ran ahead of the reservation and of the control database's: waiting would not end.
        if (held.reservedUntil === before && isHeld()) {
          throw new WherryError('id_clock_backwards', 'the clock is ahead of that of the control database by more than 5 s');
        }
      },
    };
    const held: Held = { id, snowflake: new Snowflake({ worker, after, clock }), reservedUntil, leaseEnd };
    return held;
  }
}
