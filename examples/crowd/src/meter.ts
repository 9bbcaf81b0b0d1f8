/** What a second of traffic looked like. Latencies in milliseconds; counts are of attempts, repeats included. */
export interface Second {
  readonly requests: number;
  readonly ok: number;
  /** 401 where the session had ended or the token had to be exchanged; never a fault by itself. */
  readonly unauthorized: number;
  readonly unavailable: number;
  readonly other: number;
  readonly p50: number;
  readonly p99: number;
}

/** Counts attempts between two readings. */
export class Meter {
  #latencies: number[] = [];
  #counts = { ok: 0, unauthorized: 0, unavailable: 0, other: 0 };
  #total = 0;

  record(status: number, milliseconds: number): void {
    this.#total++;
    this.#latencies.push(milliseconds);
    if (status >= 200 && status < 300) this.#counts.ok++;
    else if (status === 401) this.#counts.unauthorized++;
    else if (status === 0 || (status >= 502 && status <= 504)) this.#counts.unavailable++;
    else this.#counts.other++;
  }

  /** Attempts since the start. */
  get total(): number {
    return this.#total;
  }

  /** What was counted since the last reading. */
  read(): Second {
    const sorted = Float64Array.from(this.#latencies).toSorted();
    const second = { requests: sorted.length, ...this.#counts, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
    this.#latencies = [];
    this.#counts = { ok: 0, unauthorized: 0, unavailable: 0, other: 0 };
    return second;
  }
}

function quantile(sorted: Float64Array, q: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
  return Math.round(value * 10) / 10;
}
