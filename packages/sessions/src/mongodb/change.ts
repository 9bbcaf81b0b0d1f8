import type { Document } from 'mongodb';
import type { SessionVersion } from '../record.ts';
import type { SaveIdentity } from '../source/contract.ts';

/** One conditional update of one document. Where `insert` is true, a missing document is made by it. */
export interface Change {
  readonly condition: Document;
  readonly update: Document;
  readonly insert: boolean;
}

/** What every change is told: its writer's epoch, and the time by which expiry is judged, epoch ms. */
export interface ChangeContext {
  readonly now: number;
  readonly epoch: number;
}

/** True of what the application would find. */
export function lives(now: number): Document {
  return { session: { $ne: null }, $or: [{ expires: { $exists: false } }, { expires: { $gt: new Date(now) } }] };
}

/** True of all but tombstones that are still kept. A comparison does not hold of a field that is missing: `$nor` takes that in. */
export function notEnded(now: number): Document {
  return { $nor: [{ ended: { $gt: new Date(now) } }] };
}

const notOfLaterEpoch = (epoch: number): Document => ({ $nor: [{ we: { $gt: epoch } }] });

/** Writes the next version in the writer's epoch. */
export function saveChange(session: unknown, expireTime: number | null, { now, epoch }: ChangeContext, identity?: SaveIdentity): Change {
  const conditions = [notEnded(now), notOfLaterEpoch(epoch), ...(identity === undefined ? [] : [sameIdentity(identity, now)])];
  const { $set, $unset } = writing(session, expireTime, epoch, identity?.mark);
  return { condition: { $and: conditions }, update: { $set, $inc: { w: 1 }, $unset }, insert: true };
}

function sameIdentity({ mark, over }: SaveIdentity, now: number): Document {
  const replaced = over === '' ? [{ wi: { $exists: false } }] : over === undefined ? [] : [{ wi: over }];
  return { $or: [{ $nor: [lives(now)] }, { wi: mark }, ...replaced] };
}

/**
 * Writes a version made elsewhere where it is newer, and where it is the same and the session has run out: see `put` in
 * the contract. A tombstone whose time is over may still lie there: over that only a newer one.
 */
export function putChange(session: unknown, expireTime: number | null, { epoch, n }: SessionVersion, now: number): Change {
  const unversioned = { we: { $exists: false } };
  const isZero = epoch === 0 && n === 0;
  const newer = [...(isZero ? [] : [unversioned]), { we: { $lt: epoch } }, { we: epoch, w: { $lt: n } }];
  const known = isZero ? { $or: [unversioned, { we: 0, w: 0 }] } : { we: epoch, w: n };
  const again = { $and: [known, { ended: { $exists: false } }, { $nor: [lives(now)] }] };
  const { $set, $unset } = writing(session, expireTime, epoch, undefined);
  return { condition: { $and: [notEnded(now), { $or: [...newer, again] }] }, update: { $set: { ...$set, w: n }, $unset }, insert: true };
}

/** Sets the expiry of what lives. */
export function touchChange(expireTime: number | null, { now, epoch }: ChangeContext): Change {
  const update = expireTime === null ? { $unset: { expires: '' } } : { $set: { expires: new Date(expireTime) } };
  return { condition: { $and: [lives(now), notEnded(now), notOfLaterEpoch(epoch)] }, update, insert: false };
}

/** Turns the document into a tombstone. Of two tombstones the later epoch and the later end stay. */
export function endChange(keepUntil: number, epoch: number): Change {
  const update = {
    $set: { session: null, expires: null },
    $max: { we: epoch, ended: new Date(keepUntil) },
    // A number for what had none: nothing is compared with a missing one.
    $inc: { w: 0 },
    $unset: { lastModified: '', wi: '' },
  };
  return { condition: {}, update, insert: true };
}

function writing(
  session: unknown,
  expireTime: number | null,
  epoch: number,
  mark: string | undefined,
): { $set: Document; $unset: Document } {
  return {
    $set: {
      session,
      we: epoch,
      ...(mark === undefined ? {} : { wi: mark }),
      ...(expireTime === null ? {} : { expires: new Date(expireTime) }),
    },
    $unset: { ended: '', ...(mark === undefined ? { wi: '' } : {}), ...(expireTime === null ? { expires: '' } : {}) },
  };
}
