import { createHmac } from 'node:crypto';

/** Parts into which the users are divided: a percentage has two decimals. */
const BUCKETS = 10_000;

/**
 * Which of 10000 equal parts of the users `userId` is in, 0 … 9999: the first 48 bits of HMAC-SHA-256(salt, userId),
 * big-endian, modulo 10000. It depends on nothing else, so a user stays where he is on every instance and for ever.
 */
export function bucketOf(salt: string, userId: string): number {
  return createHmac('sha256', salt).update(userId, 'utf8').digest().readUIntBE(0, 6) % BUCKETS;
}

/**
 * True when the user is among the first `percent` (0 … 100, two decimals) of the users. Sticky: the same user, the same
 * answer. Monotonic: who is in a cohort is in every larger one.
 */
export function inCohort(salt: string, userId: string, percent: number): boolean {
  return bucketOf(salt, userId) < Math.round(percent * (BUCKETS / 100));
}
