import { hash } from 'node:crypto';
import { slotOf } from '@wherry/shards';

/** Where a session lives and how its bearer is told from others: slot and id select the row, the digest verifies. */
export interface SessionKey {
  /** 0 … 16383, follows from `id`. */
  readonly slot: number;
  /** 63-bit primary key, positive. */
  readonly id: bigint;
  /** SHA-256, 32 bytes: column `session_id`. */
  readonly digest: Buffer;
}

/** Order of the versions of one session: compared as a row, first `epoch` (of the slot's ownership), then `n`. */
export interface SessionVersion {
  readonly epoch: number;
  readonly n: number;
}

/** A login record, whichever store it comes from. Times in epoch milliseconds. */
export interface SessionRecord {
  readonly key: SessionKey;
  /** null: a session that nobody has signed in to. */
  readonly userId: string | null;
  readonly username: string | null;
  /** The first of the user's roles, for people who look at the table. */
  readonly role: string | null;
  /** Roles and permissions, as one set. */
  readonly authorities: readonly string[];
  readonly createTime: number;
  readonly lastAccessTime: number;
  /** null: never. */
  readonly expireTime: number | null;
  /** The user's generation at log-in; lower than the user's minimum means ended. */
  readonly userGeneration: number;
  /** The whole session as the application wrote it, JSON text. */
  readonly attributes: string;
  readonly version: SessionVersion;
  /** Time of the last accepted touch; a touch counts only when it is newer. */
  readonly touchVersion: number;
  /** The raw carried-over id, sealed; null for sessions that were born here. */
  readonly sourceRef: Buffer | null;
}

/** Negative, zero or positive, as versions compare. */
export function compareVersions(a: SessionVersion, b: SessionVersion): number {
  return a.epoch - b.epoch || a.n - b.n;
}

/** The key of a carried-over session: its store's canonical id, prefix and signature removed, names the row for ever. */
export function carriedSessionKey(canonicalId: string): SessionKey {
  const digest = hash('sha256', canonicalId, 'buffer');
  // The top bit goes, so that the key is positive in a signed 64-bit column.
  const id = digest.readBigUInt64BE(0) >> 1n;
  return { slot: slotOf(id), id, digest };
}

const DIGEST_BYTES = 32;

/** The same of many, in order. Their digests share one piece of memory: for keys that live and go together, at half the work. */
export function carriedSessionKeys(canonicalIds: readonly string[]): SessionKey[] {
  const digests = Buffer.allocUnsafeSlow(canonicalIds.length * DIGEST_BYTES);
  return canonicalIds.map((canonicalId, index) => {
    const from = index * DIGEST_BYTES;
    digests.write(hash('sha256', canonicalId, 'binary'), from, DIGEST_BYTES, 'latin1');
    const id = digests.readBigUInt64BE(from) >> 1n;
    return { slot: slotOf(id), id, digest: digests.subarray(from, from + DIGEST_BYTES) };
  });
}

/** The id as it leaves the system, in `sid` claims and headers: decimal text. */
export function sessionIdText(id: bigint): string {
  return id.toString();
}
