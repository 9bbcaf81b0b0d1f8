import { WherryError, pause } from '@wherry/core';
import type { Instance } from '@wherry/core/control';
import type { PrimarySide } from '@wherry/shards';
import type { MigrationContext } from '../context.ts';
import { ProgressMeter } from '../progress.ts';
import { workOff } from '../repair/work-off.ts';
import { sendCanary } from './canary.ts';
import { closedGates, type ClosedGate } from './gates.ts';
import { slotOrder, targetShare } from './slot-order.ts';
import { switchBatch } from './switch-batch.ts';
import { VerificationNeeded } from './verification-needed.ts';

const BATCH = 64;
/** How long writers are kept waiting at most; raised while processes are too busy to answer within it. */
const DEADLINE_MS = 50;
const LONGEST_DEADLINE_MS = 400;
const LOOK_EVERY_MS = 500;
const GATES_EVERY_MS = 500;
/** How often recorded ends are tried to be drained before a comparison has to find them. */
const LOOKS = 2;
/** How often a closed gate of dead letters is looked at before the sessions themselves are. */
const LOOKS_AT_LETTERS = 120;

/** Where the switch is to end. */
export interface SwitchGoal {
  readonly goal: 'source' | 'target';
  readonly goalPercent: number;
  readonly salt: string;
}

/**
 * Brings the primary side of every slot to where the goal wants it, batch by batch in the fixed order (backwards when
 * slots return to the source). Gates are asked all the time; a closed one is waited for, and what a verification must
 * open ends the step with {@link VerificationNeeded}.
 */
export async function switchSlots(context: MigrationContext, instance: Instance, goal: SwitchGoal): Promise<void> {
  const { pace, slots } = context;
  await slots.refresh();
  const order = slotOrder(goal.salt);
  const share = targetShare(goal.goal, goal.goalPercent);
  const sideAt = (position: number): PrimarySide => (position < share ? 'target' : 'source');
  const wrong = order.flatMap((slot, position) => (slots.entry(slot).side === sideAt(position) ? [] : [{ slot, side: sideAt(position) }]));
  const forth = wrong.filter(({ side }) => side === 'target').map(({ slot }) => slot);
  const back = wrong
    .filter(({ side }) => side === 'source')
    .map(({ slot }) => slot)
    .toReversed();
  const meter = new ProgressMeter(context.progress, `switch to ${goal.goal}`, order.length, order.length - wrong.length);
  if (forth.length > 0) await pace.unit(0, () => sendCanary(context));
  for (const [side, list] of [
    ['source', back],
    ['target', forth],
  ] as const) {
    let askedAt = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < list.length; at += BATCH) {
      const batch = list.slice(at, at + BATCH);
      // A batch itself looks for all that it could lose; asking every gate before each would double its time.
      const askGates = performance.now() - askedAt >= GATES_EVERY_MS;
      if (askGates) askedAt = performance.now();
      await switchUntilDone(context, instance, batch, side, meter, askGates);
      meter.add(batch.length);
    }
  }
  meter.tell();
  await context.journal.reach('switch.done', { goal: goal.goal, percent: goal.goalPercent });
}

/** Brings a few slots to `side`: gates first, then tries until the batch commits. Throws {@link VerificationNeeded} where only that helps. */
export async function switchUntilDone(
  context: MigrationContext,
  instance: Instance,
  slots: readonly number[],
  side: PrimarySide,
  meter: ProgressMeter,
  askGates: boolean,
): Promise<void> {
  let deadlineMs = DEADLINE_MS;
  for (let attempt = 0; ; attempt++) {
    if (askGates || attempt > 0) await context.pace.unit(0, () => gatesOpen(context, slots, meter));
    await context.journal.reach('switch.batch-chosen');
    const outcome = await context.pace.unit(0, () => switchBatch(context, instance, { slots, side, deadlineMs }));
    switch (outcome) {
      case 'committed':
        return;
      case 'lapsed_writer':
        throw new VerificationNeeded('a process lapsed while slots were closing');
      case 'not_acknowledged':
        deadlineMs = Math.min(LONGEST_DEADLINE_MS, deadlineMs * 2);
        break;
      case 'conflict':
        if (await alreadyThere(context, slots, side)) return;
        break;
      case 'dirty':
        break;
    }
    await pause(20 + Math.random() * 80, context.pace.signal);
  }
}

/** An outage in the middle of a batch may hide that its commit was reached; the map says so. */
async function alreadyThere(context: MigrationContext, slots: readonly number[], side: PrimarySide): Promise<boolean> {
  await context.slots.refresh();
  return slots.every((slot) => context.slots.entry(slot).side === side);
}

async function gatesOpen(context: MigrationContext, slots: readonly number[], meter: ProgressMeter): Promise<void> {
  let told = '';
  for (let look = 1; ; look++) {
    await workOff(context, slots);
    const closed = await waitingGates(context, slots);
    if (closed.length === 0) return;
    // The end of a session that the target never held: whether the source still holds it only a comparison can tell.
    if (look > LOOKS && closed.some(({ gate }) => gate === 'ends'))
      throw new VerificationNeeded('ended sessions have to be looked for in the source');
    // Whether a session is still as it was when it became a dead letter, a comparison finds out.
    if (look % LOOKS_AT_LETTERS === 0 && closed.some(({ gate }) => gate === 'dead_letters'))
      throw new VerificationNeeded('sessions that could not be carried are looked at again');
    const text = closed.map(({ detail }) => detail).join('; ');
    if (text !== told) context.progress.note(`gate closed: ${text}`);
    told = text;
    meter.tell();
    await pause(LOOK_EVERY_MS, context.pace.signal);
    // A changed goal, a pause or the end is seen here too.
    await context.pace.unit(0, async () => undefined);
  }
}

/** Closed gates that open by waiting; one that does not ends the step. */
async function waitingGates(context: MigrationContext, slots: readonly number[]): Promise<ClosedGate[]> {
  const closed = await closedGates(context, slots);
  if (closed.some(({ gate }) => gate === 'not_verified' || gate === 'lapsed_writer'))
    throw new VerificationNeeded('the two sides have to be compared first');
  if (closed.some(({ gate }) => gate === 'clock_offset'))
    throw new WherryError('clock_offset_too_large', closed.map(({ detail }) => detail).join('; '));
  return closed;
}
