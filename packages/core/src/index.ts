export { backoffDelay, pause, retry, type BackoffOptions, type RetryOptions } from './backoff.ts';
export { systemClock, type Clock } from './clock.ts';
export { ERROR_CODES, type ErrorCode } from './error-codes.ts';
export { WherryError, asWherryError, isWherryError, problemOf, type ErrorData, type Problem, type WherryErrorOptions } from './errors.ts';
export { HeavyHitters, type HeavyHitter } from './heavy-hitters.ts';
export { Lifecycle, type Component, type LifecycleOptions } from './lifecycle.ts';
export { silentLogger, type LogFields, type Logger } from './log.ts';
export {
  noMetrics,
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  type MetricOptions,
  type Metrics,
  type Sample,
} from './metrics.ts';
export { MicroBatcher, type MicroBatcherOptions } from './micro-batcher.ts';
export { Sealer, deriveKey } from './seal.ts';
export { SingleFlight } from './single-flight.ts';
