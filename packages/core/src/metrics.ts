/** Label values of one sample. Keep the set of values small: no ids, no paths from outside. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export interface Counter {
  inc(labels?: Labels, by?: number): void;
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number, labels?: Labels): void;
}

/** Durations and sizes in buckets. */
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** One value of an observed metric. */
export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
}

/** What describes a metric: name in snake case with its unit last, help in one sentence. */
export interface MetricOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/**
 * Where measurements go. `@wherry/core/metrics` has the one for Prometheus. Hot paths keep plain integers and are
 * read by `observe*` at scrape time, which costs the path nothing.
 */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram;
  /** A counter whose samples are read when the metrics are. */
  observeCounter(options: MetricOptions, read: () => readonly Sample[]): void;
  /** A gauge whose samples are read when the metrics are. */
  observeGauge(options: MetricOptions, read: () => readonly Sample[]): void;
}

const nothing = (): void => undefined;

/** Measures nothing. For libraries used without metrics, and for tests. */
export const noMetrics: Metrics = {
  counter: () => ({ inc: nothing }),
  gauge: () => ({ set: nothing }),
  histogram: () => ({ observe: nothing }),
  observeCounter: nothing,
  observeGauge: nothing,
};
