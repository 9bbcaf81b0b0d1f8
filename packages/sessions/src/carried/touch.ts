import { carriedSessionKey, sessionIdText, type SessionKey } from '../record.ts';
import type { CarriedContext, SlotPassage } from './context.ts';
import { inItsSlot } from './in-its-slot.ts';

/** `missing`: nothing lives there. */
export type TouchOutcome = 'touched' | 'ended' | 'missing';

/**
 * Extends a session's life to `ttlMs` from now on both sides. The primary side's is exact; the other's is written
 * behind within a second, and before this process acknowledges that the slot changes sides.
 */
export async function touchCarried(context: CarriedContext, rawId: string, ttlMs: number | null): Promise<TouchOutcome> {
  const key = carriedSessionKey(rawId);
  if (context.ended.isSessionEnded(sessionIdText(key.id))) return 'ended';
  return inItsSlot(context, key.slot, (passage) =>
    (passage.side === 'source' ? touchSourceFirst : touchTargetFirst)(context, key, rawId, ttlMs, passage),
  );
}

async function touchSourceFirst(
  context: CarriedContext,
  key: SessionKey,
  rawId: string,
  ttlMs: number | null,
  { epoch }: SlotPassage,
): Promise<TouchOutcome | 'moved'> {
  const touched = await context.source.touch(rawId, ttlMs, epoch);
  await context.at?.('touch.source-written');
  switch (touched.outcome) {
    case 'ended':
    case 'missing':
      // Without the lease the session may live at the target by now.
      return context.lease.leaseValid && context.slots.entry(key.slot).epoch === epoch ? touched.outcome : 'moved';
    case 'older':
      return 'moved';
    case 'applied':
  }
  // It needs no lease: the target takes it under whichever epoch is current.
  const offset = context.sourceOffsetMs();
  const expireTime = touched.expireTime === null ? null : Math.round(touched.expireTime + offset);
  const touchedAt = expireTime === null || ttlMs === null ? context.now() : Math.round(expireTime - ttlMs);
  context.target.touch(key, { lastAccessTime: touchedAt, expireTime, touchVersion: touchedAt });
  return 'touched';
}

function touchTargetFirst(
  context: CarriedContext,
  key: SessionKey,
  rawId: string,
  ttlMs: number | null,
  { epoch }: SlotPassage,
): TouchOutcome {
  const now = context.now();
  context.target.touch(key, { lastAccessTime: now, expireTime: ttlMs === null ? null : now + Math.round(ttlMs), touchVersion: now });
  context.sourceTouches.add({ key, rawId, ttlMs, epoch, atTarget: () => context.target.flushSlots([key.slot]) });
  return 'touched';
}
