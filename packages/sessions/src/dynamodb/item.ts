import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { SessionVersion } from '../record.ts';
import type { SourceSession } from '../source/contract.ts';

/** One item of the table. */
export type Item = Record<string, AttributeValue>;

/**
 * The attributes of an item beside its hash key. `sess`, `expires` and `type` are connect-dynamodb's own. `w` is the
 * number and `we` the epoch of the version, two numbers, so that the next number is made by addition in the same
 * conditional update; `wi` is the mark of a save; `ended` marks a tombstone. The application looks at none of the four.
 */
export const ATTRIBUTES = {
  '#sess': 'sess',
  '#expires': 'expires',
  '#type': 'type',
  '#w': 'w',
  '#we': 'we',
  '#wi': 'wi',
  '#ended': 'ended',
} as const;

/** Value of `type`, as connect-dynamodb writes it. */
export const SESSION_TYPE = 'connect-session';

/** What an item says at a moment; undefined: nothing lives there, nor is a tombstone kept. */
export function sessionOf(item: Item | undefined, rawId: string, readAt: number): SourceSession | undefined {
  if (item === undefined) return undefined;
  const expireTime = expireTimeOf(item);
  if (expireTime !== null && expireTime <= readAt) return undefined;
  const version = versionOf(item);
  if (item['ended'] !== undefined) return { rawId, value: '', expireTime, readAt, version, ended: true };
  const value = item['sess']?.S;
  return value === undefined ? undefined : { rawId, value, expireTime, readAt, version, ended: false };
}

/** The version that an item has, live or not; `0:0` where no instrumented writer has been. */
export function versionOf(item: Item | undefined): SessionVersion {
  return { epoch: Number(item?.['we']?.N ?? 0), n: Number(item?.['w']?.N ?? 0) };
}

/** Expiry in epoch ms; null: never. The store counts in seconds, with fractions after a touch. */
function expireTimeOf(item: Item): number | null {
  const seconds = item['expires']?.N;
  return seconds === undefined ? null : Math.round(Number(seconds) * 1000);
}

/** Epoch ms as the number of seconds that the store keeps. */
export function secondsOf(ms: number): AttributeValue {
  return { N: String(ms / 1000) };
}
