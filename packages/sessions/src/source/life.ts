import { WherryError } from '@wherry/core';

/** A length of life in whole milliseconds as text, '' for null: never ends. `bad_request` for what is no number. */
export function checkLife(ms: number | null): string {
  return ms === null ? '' : wholeMilliseconds(ms);
}

/** An expiry in whole epoch milliseconds as text, '' for null: never. `bad_request` for what is no number. */
export function checkExpiry(expireTime: number | null): string {
  return expireTime === null ? '' : wholeMilliseconds(expireTime);
}

function wholeMilliseconds(ms: number): string {
  const whole = Math.ceil(ms);
  if (!Number.isSafeInteger(whole)) throw new WherryError('bad_request', 'a length of life or an expiry is not a number of milliseconds');
  return String(whole);
}
