import { createHmac } from 'node:crypto';
import { SLOT_COUNT } from '@wherry/shards';

/**
 * All slots in the fixed order in which they change sides: by HMAC-SHA-256 under the migration's salt, so that a share
 * of the slots is a fair share of the sessions and of the shards, and the same share every time.
 */
export function slotOrder(salt: string): readonly number[] {
  return Array.from({ length: SLOT_COUNT }, (_, slot) => ({ slot, rank: createHmac('sha256', salt).update(String(slot)).digest() }))
    .toSorted((a, b) => Buffer.compare(a.rank, b.rank))
    .map(({ slot }) => slot);
}

/** How many slots of the order, from its start, are to have the target as their primary side. */
export function targetShare(goal: 'source' | 'target', percent: number): number {
  return Math.round((SLOT_COUNT * (goal === 'target' ? percent : 100 - percent)) / 100);
}
