import type { Binary, Double, Int32, Long } from 'mongodb';
import type { SessionVersion } from '../record.ts';

/** A number as it comes back when types are kept apart. */
type StoredNumber = number | bigint | Int32 | Double | Long;

/**
 * One document of the collection. `session` and `expires` are connect-mongo's own. `w` is the number and `we` the epoch
 * of the version; `wi` is the mark of a save; `ended` says until when a tombstone is kept. connect-mongo sets its own
 * fields by `$set`, so the four stay where they are, and it looks at none of them.
 *
 * A tombstone has `session: null` and `expires: null`. The application's look-ups ask for `expires` to be missing or
 * later than now, so it does not find one; an index for the removal of old sessions passes a `null` by.
 */
export interface SessionDocument {
  readonly _id: string;
  readonly session?: string | object | Binary | null;
  readonly expires?: Date | null;
  readonly w?: StoredNumber;
  readonly we?: StoredNumber;
  readonly wi?: string;
  readonly ended?: Date;
}

/** What a document says at a moment, its session undecoded. */
export interface StoredSession {
  readonly session: unknown;
  readonly expireTime: number | null;
  readonly version: SessionVersion;
  readonly ended: boolean;
}

/** undefined: nothing lives there, nor is a tombstone kept. */
export function storedSessionOf(document: SessionDocument | undefined | null, at: number): StoredSession | undefined {
  if (document === undefined || document === null) return undefined;
  const version = versionOf(document);
  const keptUntil = timeOf(document.ended);
  if (keptUntil !== undefined && keptUntil > at) return { session: null, expireTime: keptUntil, version, ended: true };
  if (document.session === undefined || document.session === null) return undefined;
  if (document.expires === undefined) return { session: document.session, expireTime: null, version, ended: false };
  // Of what is no date the application's own look-up says that it is not later than now.
  const expireTime = timeOf(document.expires);
  if (expireTime === undefined || expireTime <= at) return undefined;
  return { session: document.session, expireTime, version, ended: false };
}

/** The version that a document has, live or not; `0:0` where no instrumented writer has been. */
export function versionOf(document: SessionDocument | undefined | null): SessionVersion {
  return { epoch: numberOf(document?.we), n: numberOf(document?.w) };
}

function timeOf(value: unknown): number | undefined {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.getTime() : undefined;
}

function numberOf(value: StoredNumber | undefined): number {
  if (value === undefined) return 0;
  if (typeof value === 'object') return 'toNumber' in value ? value.toNumber() : value.valueOf();
  return Number(value);
}
