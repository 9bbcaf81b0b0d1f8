import type { SourceChange } from '@wherry/sessions';

/** How a session was removed: `ended`: before its time was over; `ran_out`; `unknown`: what is kept of it has to tell. */
export type Removal = 'ended' | 'ran_out' | 'unknown';

/** What happened to one session since it was last looked at. */
export interface PendingChange {
  readonly rawId: string;
  /** It was found there, by a snapshot or a pass: nobody knows since when. */
  present: boolean;
  /** The gravest removal among what happened; undefined: none. What was removed before its time stays ended, whatever came after. */
  removal: Removal | undefined;
  /** When that was heard of, source's clock, epoch ms. */
  removedAt: number;
  /** Values that it had in turn, those of own writes included; the last may be the present one. */
  readonly values: string[];
  /** A value was written that is not among `values`. */
  unseen: boolean;
  /** Somebody has written or changed it past us; not only its life. */
  foreign: boolean;
  /** Something that may have removed it without saying so. */
  mayBeGone: boolean;
  /** When it runs out by what has happened since; undefined: nothing has changed that, or it is not known. */
  expireTime: number | null | undefined;
  /** Its life was changed in a way that is not known. */
  lifeUnknown: boolean;
}

/** More values of one session than this between two looks: the rest count as unseen. */
const MOST_VALUES = 32;

/**
 * What happened to which sessions, one entry each, in the order of their first change. What is kept is what a later look at
 * the session cannot tell any more: that it was removed, and whom it belonged to in between.
 */
export class PendingChanges {
  readonly #changes = new Map<string, PendingChange>();

  get size(): number {
    return this.#changes.size;
  }

  /** Takes what is there out. */
  take(): readonly PendingChange[] {
    const taken = [...this.#changes.values()];
    this.#changes.clear();
    return taken;
  }

  /** A session that is there; nothing happened to it. */
  addPresent(rawId: string): void {
    this.#of(rawId).present = true;
  }

  /** `heardAt`: when the change was heard of, source's clock, epoch ms: it was made then or earlier. */
  add(change: SourceChange, heardAt: number): void {
    const pending = this.#of(change.rawId);
    if (!change.own && change.kind !== 'expiry') pending.foreign = true;
    switch (change.kind) {
      case 'removal':
        // Our own end is on record; our own removal of what ran out is none.
        if (!change.own) remove(pending, heardAt);
        pending.expireTime = undefined;
        pending.lifeUnknown = false;
        return;
      case 'other':
        pending.mayBeGone = true;
        pending.unseen = true;
        pending.lifeUnknown = true;
        return;
      case 'value':
        if (change.value === undefined || pending.values.length >= MOST_VALUES) pending.unseen = true;
        else pending.values.push(change.value);
        setLife(pending, change);
        return;
      case 'expiry':
        setLife(pending, change);
    }
  }

  #of(rawId: string): PendingChange {
    let pending = this.#changes.get(rawId);
    if (pending === undefined) {
      pending = {
        rawId,
        present: false,
        removal: undefined,
        removedAt: 0,
        values: [],
        unseen: false,
        foreign: false,
        mayBeGone: false,
        expireTime: undefined,
        lifeUnknown: false,
      };
      this.#changes.set(rawId, pending);
    }
    return pending;
  }
}

/**
 * A removal before the time was over is an end. It is heard of after it was made: heard of before the time was over, it
 * was made before. One that is heard of later was made by the store itself, or moments before the store would have: no token
 * of the session is valid any more, and its id may be used again.
 */
function remove(pending: PendingChange, heardAt: number): void {
  const verdict = verdictOf(pending, heardAt);
  if (pending.removal === 'ended' || (pending.removal === 'unknown' && verdict === 'ran_out')) return;
  pending.removal = verdict;
  pending.removedAt = heardAt;
}

function verdictOf({ lifeUnknown, expireTime }: PendingChange, heardAt: number): Removal {
  if (lifeUnknown) return 'ended';
  if (expireTime === undefined) return 'unknown';
  return expireTime === null || expireTime > heardAt ? 'ended' : 'ran_out';
}

function setLife(pending: PendingChange, { expireTime }: SourceChange): void {
  pending.expireTime = expireTime;
  pending.lifeUnknown = expireTime === undefined;
}
