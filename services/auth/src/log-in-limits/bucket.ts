import { createHmac, type KeyObject } from 'node:crypto';
import type { LogInLimitOptions } from './options.ts';

/** What a bucket counts; a label of metrics. */
export type BucketKind = 'account_and_address' | 'account_and_device' | 'account' | 'address' | 'registration';

/** One token bucket. */
export interface Bucket {
  readonly kind: BucketKind;
  /** Hexadecimal digest of what it is for, under a key of ours: names and addresses are too few to be hidden by one without. */
  readonly key: string;
  /** Tokens when it is full. */
  readonly size: number;
  /** Until a token comes back, milliseconds. */
  readonly refillMs: number;
}

/** What a log-in takes from. */
export interface LogInBuckets {
  readonly all: readonly Bucket[];
  /** The bucket of account and address, the first of all; undefined where there is none. */
  readonly pair: Bucket | undefined;
  /** Hexadecimal digest of the account that `pair` is of. */
  readonly account: string | undefined;
}

/**
 * The buckets that a log-in takes from. Names that nobody has count like any other, so that the limit tells nothing of
 * them. `account` undefined: the text can be nobody's name; `address` undefined: it is not known, and is then left out
 * rather than be one that all of those share.
 */
export function bucketsOf(
  account: string | undefined,
  address: string | undefined,
  limits: LogInLimitOptions,
  digest: Digest,
): LogInBuckets {
  const { failuresPerAccountAndAddress = 10, failuresPerAccount = 100, failuresPerAddress = 100 } = limits;
  const accountMs = (limits.accountRefillSeconds ?? 60) * 1000;
  const addressMs = (limits.addressRefillSeconds ?? 6) * 1000;
  const buckets: Bucket[] = [];
  const add = (kind: BucketKind, size: number, refillMs: number, ...parts: readonly string[]): void => {
    if (size > 0) buckets.push({ kind, key: digest(kind, ...parts), size, refillMs });
  };
  if (account !== undefined) {
    // Beside the one over all addresses, so that whoever guesses from his own does not lock the owner out.
    if (address !== undefined) add('account_and_address', failuresPerAccountAndAddress, accountMs, account, address);
    add('account', failuresPerAccount, accountMs, account);
  }
  if (address !== undefined) add('address', failuresPerAddress, addressMs, address);
  const pair = buckets.find(({ kind }) => kind === 'account_and_address');
  return { all: buckets, pair, account: pair === undefined || account === undefined ? undefined : digest('account', account) };
}

/** The bucket of a device that has proved to be one of `account`. undefined where failures from one place have no bound. */
export function deviceBuckets(account: string, device: string, limits: LogInLimitOptions, digest: Digest): LogInBuckets | undefined {
  const { failuresPerAccountAndAddress: size = 10, accountRefillSeconds: refillS = 60 } = limits;
  if (size === 0) return undefined;
  const kind = 'account_and_device';
  const pair: Bucket = { kind, key: digest(kind, account, device), size, refillMs: refillS * 1000 };
  return { all: [pair], pair, account: digest('account', account) };
}

/** The bucket that a registration takes from; none where the address is not known. */
export function registrationBuckets(address: string | undefined, limits: LogInLimitOptions, digest: Digest): LogInBuckets {
  const { registrationsPerAddress: size = 30, registrationRefillSeconds: refillS = 60 } = limits;
  const kind = 'registration';
  const all = address === undefined || size === 0 ? [] : [{ kind, key: digest(kind, address), size, refillMs: refillS * 1000 } as const];
  return { all, pair: undefined, account: undefined };
}

/** What a bucket is found by. */
export type Digest = (...parts: readonly string[]) => string;

/** Digests under the key of this purpose (HMAC-SHA-256, RFC 2104). */
export function digestUnder(key: KeyObject): Digest {
  return (...parts) => createHmac('sha256', key).update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
