import { isWherryError } from '@wherry/core';
import type { Instance } from '@wherry/core/control';
import { abortClosing, beginClosing, closeOnShard, commitSide, openOnShard, type Closing, type PrimarySide } from '@wherry/shards';
import { undecidedDeadLetters } from '@wherry/sessions';
import { nothingUnderWay } from '../capture/capture-gates.ts';
import type { MigrationContext } from '../context.ts';
import { lapsedInstances } from './gates.ts';

/** Why a batch did not change sides this time; its slots are open again. */
export type BatchOutcome = 'committed' | 'conflict' | 'not_acknowledged' | 'lapsed_writer' | 'dirty';

/** One batch to change. */
export interface Batch {
  readonly slots: readonly number[];
  readonly side: PrimarySide;
  /** How long writers may be kept waiting, ms. */
  readonly deadlineMs: number;
}

/**
 * Changes the primary side of a batch of slots.
 *
 * 1. `closing` is committed in control: from the next news on, writers wait in front of these slots; reads go on.
 * 2. Every live process acknowledges: its writes in these slots, coalesced touches included, are finished. One that
 *    does not answer in time, or whose lease lapses, ends the attempt: what it did last would be unknown.
 * 3. The shards close their twins of the slots: now even a process that has slept through all this meets the fence.
 * 4. No repair and no recorded end may wait in these slots, and no dead letter anywhere. Nothing can add one any more: writers are out.
 * 5. One compare-and-set in control makes the other side primary under the next epoch: the commit point. Anybody may
 *    open an overdue closing instead, and then it fails.
 * 6. The shards open under the new epoch. Until they do, writers and readers of the new epoch are turned away and try
 *    again; a crash here is mended by whoever starts next (`recoverSlots`).
 */
export async function switchBatch(
  context: MigrationContext,
  instance: Instance,
  { slots, side, deadlineMs }: Batch,
): Promise<BatchOutcome> {
  const { control, journal } = context;
  await context.slots.refresh();
  const epochs = slots.map((slot) => context.slots.epochOf(slot));
  let closing: Closing;
  try {
    closing = await beginClosing(control, slots, epochs, deadlineMs);
  } catch (error) {
    if (isWherryError(error, 'conflict')) return 'conflict';
    throw error;
  }
  const outcome = await tryBatch(context, instance, closing, side, deadlineMs).catch(async (error: unknown) => {
    await reopen(context, closing, side).catch(() => undefined);
    throw error;
  });
  if (outcome !== 'committed') await reopen(context, closing, side);
  else await journal.reach('switch.opened');
  return outcome;
}

async function tryBatch(
  context: MigrationContext,
  instance: Instance,
  closing: Closing,
  side: PrimarySide,
  deadlineMs: number,
): Promise<BatchOutcome> {
  const { control, journal } = context;
  const { slots, epochs } = closing;
  await journal.reach('switch.closing');
  if (!(await instance.acknowledged(context.slots.topic, closing.seq, deadlineMs))) return 'not_acknowledged';
  await journal.reach('switch.acknowledged');
  if (!(await closeShards(context, closing))) return 'conflict';
  await journal.reach('switch.shards-closed');
  const [captured, lapsed, repairs, ends, letters] = await Promise.all([
    nothingUnderWay(context),
    lapsedInstances(context),
    context.repairs.count(slots),
    context.revocations.undrained(slots, 1),
    undecidedDeadLetters(control),
  ]);
  if (lapsed > 0) return 'lapsed_writer';
  if (!captured || repairs > 0 || ends.length > 0 || letters > 0) return 'dirty';
  await journal.reach('switch.checked');
  let seq: bigint;
  try {
    seq = await commitSide(control, closing, { side });
  } catch (error) {
    if (isWherryError(error, 'conflict')) return 'conflict';
    throw error;
  }
  await journal.reach('switch.committed', { slots: slots.length, side });
  await openShards(
    context,
    slots,
    epochs.map((epoch) => epoch + 1),
    side,
    seq,
  );
  return 'committed';
}

/** False when a slot was opened again by somebody who found the closing overdue. */
async function closeShards(context: MigrationContext, { slots, epochs, seq }: Closing): Promise<boolean> {
  const closed = await Promise.all(
    [...byShard(context, slots)].map(async ([shard, indexes]) => {
      const own = indexes.map((index) => slots[index] ?? 0);
      const count = await closeOnShard(
        context.shards.shard(shard).database,
        own,
        indexes.map((index) => epochs[index] ?? 0),
        seq,
      );
      return count === own.length;
    }),
  );
  return closed.every(Boolean);
}

async function openShards(
  context: MigrationContext,
  slots: readonly number[],
  epochs: readonly number[],
  side: PrimarySide,
  seq: bigint,
): Promise<void> {
  await Promise.all(
    [...byShard(context, slots)].map(([shard, indexes]) =>
      openOnShard(
        context.shards.shard(shard).database,
        indexes.map((index) => slots[index] ?? 0),
        indexes.map((index) => epochs[index] ?? 0),
        side,
        seq,
      ),
    ),
  );
}

/** Opens the slots again under their old epoch and side. What was opened by others meanwhile stays as they made it. */
async function reopen(context: MigrationContext, closing: Closing, side: PrimarySide): Promise<void> {
  const seq = await abortClosing(context.control, closing);
  if (seq !== undefined) await openShards(context, closing.slots, closing.epochs, side === 'target' ? 'source' : 'target', seq);
  // Opened in control by somebody who found it overdue, and who does not know what was closed on the shards.
  else await Promise.all(closing.slots.map((slot, index) => context.target.follow(slot, closing.epochs[index] ?? 0, 0)));
}

function byShard(context: MigrationContext, slots: readonly number[]): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const [index, slot] of slots.entries()) {
    const shard = context.slots.shardOf(slot);
    const group = groups.get(shard);
    if (group === undefined) groups.set(shard, [index]);
    else group.push(index);
  }
  return groups;
}
