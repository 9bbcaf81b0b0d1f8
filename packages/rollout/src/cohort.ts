import { createHmac } from 'node:crypto';

/** Parts into which the users are divided: a percentage has two decimals. */
const BUCKETS = 10_000;

/** On which side of the comparison a user stands. */
export type RolloutArm =
  /** Led to access tokens. */
  | 'cohort'
  /** Held out, to compare the cohort with. */
  | 'control'
  /** Not led yet, and not compared. */
  | 'outside';

/** What a list says of a user or client. */
export type CohortEntry = 'include' | 'exclude';

/** The lists in memory. */
export interface CohortLists {
  readonly users: ReadonlyMap<string, CohortEntry>;
  readonly clients: ReadonlyMap<string, CohortEntry>;
}

/** What divides the users while some are led. Percentages 0 … 100, two decimals. */
export interface CohortRule {
  readonly salt: string;
  readonly percent: number;
  readonly holdOut: number;
}

/** Lists without entries. */
export const NO_LISTS: CohortLists = { users: new Map(), clients: new Map() };

/**
 * Which of 10000 equal parts of the users `userId` is in, 0 … 9999: the first 48 bits of HMAC-SHA-256(salt, userId),
 * big-endian, modulo 10000. It depends on nothing else, so a user stays where he is on every instance and for ever.
 */
export function bucketOf(salt: string, userId: string): number {
  return createHmac('sha256', salt).update(userId, 'utf8').digest().readUIntBE(0, 6) % BUCKETS;
}

/**
 * True when `bucket` is among the first `percent` of the buckets. Sticky: the same user, the same answer. Monotonic:
 * who is in a cohort is in every larger one.
 */
export function inCohort(bucket: number, percent: number): boolean {
  return bucket < Math.round(percent * (BUCKETS / 100));
}

/** True when `bucket` is among the last `holdOut` percent, the other end from that at which cohorts begin to grow. */
export function inHoldOut(bucket: number, holdOut: number): boolean {
  return bucket >= BUCKETS - Math.round(holdOut * (BUCKETS / 100));
}

/**
 * The arm of a user in `bucket`. What a list says of the user counts first, then what it says of the client, then the
 * hold-out, then the share; so a hold-out stays one while the share grows past it.
 */
export function armOf({ percent, holdOut }: CohortRule, listed: CohortEntry | undefined, bucket: number): RolloutArm {
  if (listed === 'include') return 'cohort';
  if (listed === 'exclude') return 'outside';
  if (inHoldOut(bucket, holdOut)) return 'control';
  return inCohort(bucket, percent) ? 'cohort' : 'outside';
}

/** What the lists say of a user of a client. */
export function listedAs({ users, clients }: CohortLists, userId: string, clientId: string | undefined): CohortEntry | undefined {
  return users.get(userId) ?? (clientId === undefined ? undefined : clients.get(clientId));
}
