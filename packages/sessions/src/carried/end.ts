import type { EndReason } from '@wherry/revocation';
import { carriedSessionKey, type SessionKey } from '../record.ts';
import type { CarriedContext } from './context.ts';

/** What an acknowledged end was: `propagated` false when some instance had not said in time that it acts on it. */
export interface EndOutcome {
  readonly propagated: boolean;
}

/**
 * Ends a carried-over session for good: the termination record first (durable, and every reader asks it), then the
 * source with a tombstone that keeps a slow request from saving it again, then the target. Resolves only when the
 * record is durable and the source has let go, and when every instance acts on it or had its time to.
 *
 * A crash after the record leaves an end that all readers respect and that the migrator drains into both stores.
 * Throws `control_unavailable` when the record cannot be made durable, `source_unavailable` when the source cannot be
 * reached: the caller repeats, and a repeat is harmless.
 */
export async function endCarried(context: CarriedContext, rawId: string, reason: EndReason): Promise<EndOutcome> {
  const key = carriedSessionKey(rawId);
  const seq = await context.revocations.endSession({ slot: key.slot, id: key.id, digest: key.digest, reason });
  await context.at?.('end.recorded');
  // Told to the others while the stores are written: both are waited for.
  const propagated = context.revocations.propagated(seq);
  await applyEnd(context, key, rawId);
  return { propagated: await propagated };
}

/** Applies a recorded end to both stores and marks it drained. Idempotent. */
export async function applyEnd(context: CarriedContext, key: SessionKey, rawId: string): Promise<void> {
  const passage = await context.slots.enter(key.slot);
  let left = 0;
  try {
    const removal = context.source.end(rawId, context.tombstoneMs, passage.epoch);
    if (passage.side === 'source') await removal;
    else left += await failed(removal);
    await context.at?.('end.source-removed');
  } finally {
    passage.leave();
  }
  const tombstone = context.target.end(key, context.now());
  if (passage.side === 'target') await tombstone;
  else left += await failed(tombstone);
  await context.at?.('end.target-removed');
  // What is left is in the termination record: undrained ones are worked off by the migrator.
  if (left === 0) await failed(context.revocations.markDrained(key.id));
}

async function failed(work: Promise<unknown>): Promise<0 | 1> {
  return work.then(
    () => 0,
    () => 1,
  );
}
