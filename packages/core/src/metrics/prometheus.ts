import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { MetricOptions, Metrics, Sample } from '../metrics.ts';

/** Metrics for Prometheus and the page on which it reads them. */
export interface PrometheusMetrics extends Metrics {
  /** The page in the text exposition format. */
  page(): Promise<string>;
  /** Media type of the page. */
  readonly contentType: string;
}

/** Options of {@link createMetrics}. */
export interface PrometheusOptions {
  /** Also event-loop lag, heap and garbage collection of this process; default false. */
  readonly processMetrics?: boolean;
}

/** A registry of its own, so that two services in one process do not mix their numbers. */
export function createMetrics(options: PrometheusOptions = {}): PrometheusMetrics {
  const registry = new Registry();
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry });
  const settings = ({ name, help, labels = [] }: MetricOptions) => ({ name, help, labelNames: [...labels], registers: [registry] });

  return {
    counter: (metric) => {
      const counter = new PromCounter(settings(metric));
      return { inc: (labels = {}, by = 1) => counter.inc(labels, by) };
    },
    gauge: (metric) => {
      const gauge = new PromGauge(settings(metric));
      return { set: (value, labels = {}) => gauge.set(labels, value) };
    },
    histogram: (metric) => {
      const histogram = new PromHistogram({ ...settings(metric), buckets: [...metric.buckets] });
      return { observe: (value, labels = {}) => histogram.observe(labels, value) };
    },
    observeCounter: (metric, read) => {
      new PromCounter({
        ...settings(metric),
        collect() {
          this.reset();
          for (const sample of read()) this.inc(labelsOf(sample), sample.value);
        },
      });
    },
    observeGauge: (metric, read) => {
      new PromGauge({
        ...settings(metric),
        collect() {
          this.reset();
          for (const sample of read()) this.set(labelsOf(sample), sample.value);
        },
      });
    },
    page: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function labelsOf(sample: Sample): Record<string, string> {
  return { ...sample.labels };
}
