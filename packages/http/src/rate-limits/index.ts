export { rateFields, type RateFields } from './rate-fields.ts';
export { RateLimiter, type RateLimiterOptions, type RateState } from './rate-limiter.ts';
export { readRateWindows, type RateWindow } from './rate-windows.ts';
