import { carriedSessionKey, type SessionKey } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import { isOutage } from '../pace.ts';
import { repairSession } from './repair-session.ts';

const BATCH = 200;
const PARALLEL = 16;

/** How many entries a pass worked off, and how many are left for later. */
export interface WorkedOff {
  readonly repaired: number;
  readonly left: number;
}

/**
 * Works off the repair entries and the termination records that are not drained, of `slots` only where given. Entries
 * whose stores are away are put off; nothing is ever dropped.
 */
export async function workOff(context: MigrationContext, slots?: readonly number[]): Promise<WorkedOff> {
  const repaired = (await workOffRepairs(context, slots)) + (await drainEnds(context, slots));
  const left = (await context.repairs.count(slots)) + (await context.revocations.undrained(slots, BATCH)).length;
  return { repaired, left };
}

async function workOffRepairs(context: MigrationContext, slots: readonly number[] | undefined): Promise<number> {
  let repaired = 0;
  for (;;) {
    const due = await context.repairs.due(BATCH, slots);
    if (due.length === 0) return repaired;
    const done: typeof due = [];
    const later: typeof due = [];
    await inParallel(due, async (entry) => {
      const rawId = context.refs.open(entry, entry.sourceRef);
      ((await succeeds(() => repairSession(context, carriedSessionKey(rawId), rawId, { afterGrace: false }))) ? done : later).push(entry);
    });
    await context.repairs.done(done);
    await context.repairs.postpone(later);
    repaired += done.length;
    if (later.length > 0) return repaired;
  }
}

/** Applies recorded ends to both stores. The raw id comes from the target's row; without one nothing at the target can live. */
async function drainEnds(context: MigrationContext, slots: readonly number[] | undefined): Promise<number> {
  let drained = 0;
  for (;;) {
    const ends = await context.revocations.undrained(slots, BATCH);
    let done = 0;
    await inParallel(ends, async ({ slot, id, digest, endedAt }) => {
      if (await succeeds(() => applyRecordedEnd(context, { slot, id, digest }, endedAt))) done++;
    });
    drained += done;
    if (done < ends.length || ends.length < BATCH) return drained;
  }
}

async function applyRecordedEnd(context: MigrationContext, key: SessionKey, endedAt: number): Promise<'repaired' | 'retry'> {
  const passage = await context.slots.enter(key.slot);
  try {
    const ref = await sourceRefOf(context, key);
    if (ref !== null) await context.source.end(context.refs.open(key, ref), context.tombstoneMs, passage.epoch);
    // A token names its session by id alone; with no row there is no digest, and nothing at the target to end.
    if (key.digest.length > 0) await context.target.end(key, endedAt);
    // Without a row the source may still hold it: the record stays until a copy or verification has met it there.
    if (ref === null && !(await wasVerifiedSince(context, endedAt))) return 'retry';
    await context.revocations.markDrained(key.id);
    return 'repaired';
  } finally {
    passage.leave();
  }
}

/** null: nothing is there, or it was born here. A tombstone keeps the reference. */
async function sourceRefOf(context: MigrationContext, { slot, id }: SessionKey): Promise<Buffer | null> {
  const found = await context.target.getById(slot, id);
  if (found.state === 'absent') return null;
  return found.state === 'live' ? found.record.sourceRef : found.tombstone.sourceRef;
}

async function wasVerifiedSince(context: MigrationContext, time: number): Promise<boolean> {
  const { verifiedSince } = await context.journal.read();
  return verifiedSince !== null && verifiedSince > time;
}

async function succeeds(work: () => Promise<string>): Promise<boolean> {
  try {
    return (await work()) !== 'retry';
  } catch (error) {
    if (!isOutage(error)) throw error;
    return false;
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
}
