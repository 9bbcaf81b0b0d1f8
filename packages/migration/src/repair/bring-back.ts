import { compareVersions, isForgotten, type SessionKey, type SessionRecord, type SourceSession } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import type { RepairOutcome } from './repair-session.ts';

/** Expiries of both sides may differ by this much without meaning anything. */
const EXPIRY_TOLERANCE_MS = 1000;

/**
 * Gives a doubted primary source back what it had acknowledged before it restarted or failed over, and has forgotten: the
 * target holds it, newer than the source does and of an epoch before. undefined: there is nothing of the kind, and the
 * source's word counts.
 */
export async function bringBack(
  context: MigrationContext,
  key: SessionKey,
  rawId: string,
  session: SourceSession | undefined,
  epoch: number,
): Promise<RepairOutcome | undefined> {
  // The source may have changed since the slot was entered: only the epoch after the change tells what is of before it.
  if (context.slots.epochOf(key.slot) !== epoch) return 'retry';
  if (session?.ended === true) return undefined;
  const there = await context.target.get(key);
  if (there.state !== 'live') return undefined;
  const { record } = there;
  if (record.expireTime !== null && record.expireTime <= context.now()) return undefined;
  const expireTime = record.expireTime === null ? null : record.expireTime - context.sourceOffsetMs();
  if (isForgotten(record, session, epoch)) {
    const written = await context.source.put(rawId, record.attributes, expireTime, record.version);
    if (written.outcome === 'ended') await context.target.end(key, context.now());
    return written.outcome === 'older' ? 'retry' : 'repaired';
  }
  if (session === undefined || !lacksTouch(record, session, expireTime, epoch)) return undefined;
  const ttlMs = expireTime === null ? null : expireTime - (await context.source.now());
  return (await context.source.touch(rawId, ttlMs, epoch)).outcome === 'applied' ? 'repaired' : 'retry';
}

/** The same save, and an earlier end of it at the source: a touch that it had acknowledged is forgotten. */
function lacksTouch({ version }: SessionRecord, session: SourceSession, expireTime: number | null, epoch: number): boolean {
  if (version.epoch >= epoch || compareVersions(version, session.version) !== 0 || session.expireTime === null) return false;
  return expireTime === null || expireTime - session.expireTime > EXPIRY_TOLERANCE_MS;
}
