import { abortClosingOf, installSlotMap, readSlotMap } from '@wherry/shards';
import type { MigrationContext } from '../context.ts';

/**
 * Mends what a crash in the middle of a batch left: slots that are closing are opened under their old epoch, because
 * the commit point was not reached; then every shard is brought to what control says, because the commit may have been
 * reached and the opening not. Idempotent; run whenever a process takes the lead.
 */
export async function recoverSlots(context: Pick<MigrationContext, 'control' | 'slots' | 'shards'>): Promise<number> {
  const closing = (await readSlotMap(context.control)).filter(({ state }) => state === 'closing').map(({ slot }) => slot);
  if (closing.length > 0) {
    await abortClosingOf(context.control, closing, {
      audit: { actor: 'system', action: 'slots.recovered', details: { slots: closing.length } },
    });
  }
  await installSlotMap(
    context.control,
    Array.from({ length: context.shards.size }, (_, shard) => context.shards.shard(shard).database),
  );
  await context.slots.refresh();
  return closing.length;
}
