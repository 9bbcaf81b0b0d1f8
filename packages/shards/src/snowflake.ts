import { WherryError, pause, systemClock, type Clock } from '@wherry/core';

/** 2024-01-01T00:00:00Z: ids count milliseconds from here and last until September 2093. */
export const SNOWFLAKE_EPOCH = 1_704_067_200_000;

/** How many worker ids there are: 5 bits of data centre and 5 of worker, given out as one number. */
export const WORKER_COUNT = 1024;

const WORKER_BITS = 10n;
const SEQUENCE_BITS = 12n;
const MOST_IN_MILLISECOND = 4096;

/** What the making of ids stands on: a worker id and the times that it may be used with. */
export interface SnowflakeWorker {
  /** 0 … 1023. */
  readonly id: number;
  /** Ids may be made with times up to this one, epoch ms: later ones are not reserved yet. */
  readonly reservedUntil: number;
  /** False when somebody else may hold the worker id by now. */
  readonly valid: boolean;
  /** Reserves further; resolves when it has. */
  reserve(): Promise<void>;
}

/** Parts of an id. */
export interface SnowflakeParts {
  /** Epoch ms. */
  readonly time: number;
  readonly worker: number;
  readonly sequence: number;
}

/** Options of {@link Snowflake}. */
export interface SnowflakeOptions {
  readonly worker: SnowflakeWorker;
  /** Ids have later times than this, epoch ms: what the worker id's last holder may have used. */
  readonly after: number;
  readonly clock?: Clock;
}

/**
 * Time-ordered 63-bit ids: 41 bits of milliseconds, 5 of data centre, 5 of worker, 12 of sequence.
 *
 * No two are the same: within a process, (time, sequence) only ever rises; between processes, the times under one
 * worker id never overlap, because a holder keeps to what was reserved and its successor starts behind that.
 */
export class Snowflake {
  readonly #worker: SnowflakeWorker;
  readonly #clock: Clock;
  #last: number;
  #sequence = MOST_IN_MILLISECOND;

  constructor(options: SnowflakeOptions) {
    this.#worker = options.worker;
    this.#last = options.after;
    this.#clock = options.clock ?? systemClock;
  }

  /** Time of the last id, epoch ms. */
  get lastTime(): number {
    return this.#last;
  }

  /**
   * The next id. Waits for the next millisecond when this one's 4096 are used up, and for a reservation. Throws
   * `id_clock_backwards` while the clock is behind the last id, `id_worker_lost` when the worker id is lost.
   */
  async next(): Promise<bigint> {
    for (;;) {
      if (!this.#worker.valid) throw new WherryError('id_worker_lost', 'the worker id that ids are made under was lost');
      const now = this.#clock.now();
      if (now < this.#last) throw new WherryError('id_clock_backwards', `the clock is ${this.#last - now} ms behind the last id`);
      if (now > this.#worker.reservedUntil) {
        await this.#worker.reserve();
        continue;
      }
      if (now > this.#last) {
        this.#last = now;
        this.#sequence = 0;
      }
      if (this.#sequence < MOST_IN_MILLISECOND) return compose(now, this.#worker.id, this.#sequence++);
      await pause(1);
    }
  }
}

/** Takes an id apart. */
export function snowflakeParts(id: bigint): SnowflakeParts {
  return {
    time: Number(id >> (WORKER_BITS + SEQUENCE_BITS)) + SNOWFLAKE_EPOCH,
    worker: Number((id >> SEQUENCE_BITS) & 0x3ffn),
    sequence: Number(id & 0xfffn),
  };
}

function compose(time: number, worker: number, sequence: number): bigint {
  return (BigInt(time - SNOWFLAKE_EPOCH) << (WORKER_BITS + SEQUENCE_BITS)) | (BigInt(worker) << SEQUENCE_BITS) | BigInt(sequence);
}
