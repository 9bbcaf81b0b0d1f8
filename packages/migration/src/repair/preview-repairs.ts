import { carriedSessionKey, sessionIdText, type RepairCause, type SessionKey } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import { compareSides, type Difference } from '../verify/compare.ts';
import { sourceView } from '../verify/sides.ts';

/** What a repair would do, as things stand at this moment. */
export type RepairAction = 'nothing' | 'write_target' | 'write_source' | 'end_both' | 'end_target' | 'end_source' | 'dead_letter';

/** A session that waits for its repair. */
export interface RepairPreview {
  /** Of the row. */
  readonly id: string;
  readonly slot: number;
  /** Why it waits; `recorded_end`: it was ended and a store may not know yet. */
  readonly cause: RepairCause | 'recorded_end';
  readonly action: RepairAction;
  /** How the sides differ, in words without content. */
  readonly detail: string;
}

/**
 * Says of waiting repairs and recorded ends, `limit` of each, what working them off would do. Reads only: both sides of
 * each session, as a repair does first. Errors: `source_unavailable`, `shard_unavailable`.
 */
export async function previewRepairs(context: MigrationContext, limit: number): Promise<readonly RepairPreview[]> {
  const previews: RepairPreview[] = [];
  for (const { slot, id, sourceRef, cause } of await context.repairs.list(limit)) {
    const rawId = context.refs.open({ slot, id }, sourceRef);
    const { action, detail } = await previewOf(context, carriedSessionKey(rawId), rawId);
    previews.push({ id: sessionIdText(id), slot, cause, action, detail });
  }
  for (const { slot, id } of await context.revocations.undrained(undefined, limit))
    previews.push({ id: sessionIdText(id), slot, cause: 'recorded_end', action: 'end_both', detail: 'a recorded end' });
  return previews;
}

async function previewOf(context: MigrationContext, key: SessionKey, rawId: string): Promise<Pick<RepairPreview, 'action' | 'detail'>> {
  if (context.ended.isSessionEnded(sessionIdText(key.id))) return { action: 'end_both', detail: 'a recorded end' };
  const [[session], target] = await Promise.all([context.source.get([rawId]), context.target.get(key)]);
  const source = sourceView(context, session);
  if (source === 'dead_letter') return { action: 'dead_letter', detail: 'cannot be decoded' };
  const found = compareSides(source, target, context.now());
  if (found === undefined || found.class === 'expired_in_flight') return { action: 'nothing', detail: 'the sides agree' };
  return { action: actionOf(found, context.slots.entry(key.slot).side, source.state, target.state), detail: found.detail };
}

/** The primary side is the truth, except that ended wins wherever it stands. What is gone from a primary source has ended. */
function actionOf(found: Difference, primary: 'source' | 'target', source: string, target: string): RepairAction {
  if (found.class === 'ended_here_alive_there') return source === 'ended' ? 'end_target' : 'end_source';
  if (primary === 'source') return source === 'live' ? 'write_target' : 'end_both';
  return target === 'live' ? 'write_source' : 'nothing';
}
