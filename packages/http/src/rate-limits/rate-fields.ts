import type { RateState } from './rate-limiter.ts';

/** Answer fields that tell a client what it may do, by name. */
export interface RateFields {
  readonly 'RateLimit-Policy': string;
  readonly RateLimit: string;
}

/**
 * The fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): lists of structured fields
 * (RFC 9651), one member a window. `q` and `w`: so much in so many seconds; `r`: how much is left; `t`: seconds until
 * all of it is there again. `name` is a word for what is counted; of several windows each adds its seconds to it.
 */
export function rateFields(name: string, states: readonly RateState[]): RateFields {
  const nameOf = ({ window }: RateState): string => (states.length === 1 ? `"${name}"` : `"${name}-${window.seconds}"`);
  return {
    'RateLimit-Policy': states.map((state) => `${nameOf(state)};q=${state.window.quota};w=${state.window.seconds}`).join(', '),
    RateLimit: states.map((state) => `${nameOf(state)};r=${state.remaining};t=${state.resetSeconds}`).join(', '),
  };
}
