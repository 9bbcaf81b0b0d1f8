import { WherryError } from '@wherry/core';
import type { CarriedContext, SlotPassage } from './context.ts';

/** How often a write is tried again while its slot changes hands. */
const ATTEMPTS = 8;

/**
 * Runs a write in its slot, under a passage that is held until it is done, and again under the next owner for as long as
 * it answers `moved`: {@link ATTEMPTS} times, and on until `deadline` (monotonic ms) where there is one. By both, because
 * a process that was stopped in between finds its time over and has still to do the write again. Errors: `slot_not_owned`
 * after that, and what the write throws.
 */
export async function inItsSlot<T>(
  context: CarriedContext,
  slot: number,
  write: (passage: SlotPassage) => T | 'moved' | Promise<T | 'moved'>,
  deadline: number = Number.NEGATIVE_INFINITY,
): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS || performance.now() < deadline; attempt++) {
    const passage = await context.slots.enter(slot);
    try {
      const outcome = await write(passage);
      if (outcome !== 'moved') return outcome;
    } finally {
      passage.leave();
    }
    await context.slots.refresh();
    await context.target.follow(slot, passage.epoch, attempt);
  }
  throw new WherryError('slot_not_owned', 'the slot kept changing its owner');
}
