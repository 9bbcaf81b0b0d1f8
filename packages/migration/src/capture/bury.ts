import type { SessionKey } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';

/** Makes both sides say that a session has ended. Idempotent. */
export async function bury(
  { slots, source, target, tombstoneMs, now }: Pick<MigrationContext, 'slots' | 'source' | 'target' | 'tombstoneMs' | 'now'>,
  key: SessionKey,
  rawId: string,
): Promise<void> {
  const passage = await slots.enter(key.slot);
  try {
    await source.end(rawId, tombstoneMs, passage.epoch);
  } finally {
    passage.leave();
  }
  await target.end(key, now());
}
