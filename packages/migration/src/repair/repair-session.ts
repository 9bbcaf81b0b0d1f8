import { addDeadLetters, convertSession, removeDeadLetters, sessionIdText, type SessionKey, type SourceSession } from '@wherry/sessions';
import type { MigrationContext } from '../context.ts';
import { REFUSED, isRefusal } from './refusal.ts';
import { bringBack } from './bring-back.ts';

/** `repaired`: the other side now says what the primary says. `retry`: the slot moved, or a write was overtaken. */
export type RepairOutcome = 'repaired' | 'retry' | 'dead_letter';

/** Options of {@link repairSession}. */
export interface RepairSessionOptions {
  /**
   * True when a grace has passed in which touches that wait in their processes are written: then the target's expiry is
   * the last word. False: a touch may have reached the source first, which then must not lose it again.
   */
  readonly afterGrace: boolean;
}

/**
 * Reads the primary side again and writes that to the other. It enters the slot like any writer, so the primary side
 * cannot change meanwhile, and the version rules let a live write that overtakes it win.
 */
export async function repairSession(
  context: MigrationContext,
  key: SessionKey,
  rawId: string,
  options: RepairSessionOptions,
): Promise<RepairOutcome> {
  const passage = await context.slots.enter(key.slot);
  try {
    if (context.ended.isSessionEnded(sessionIdText(key.id))) {
      await context.source.end(rawId, context.tombstoneMs, passage.epoch);
      await context.target.end(key, context.now());
      await context.revocations.markDrained(key.id);
      return 'repaired';
    }
    return passage.side === 'source'
      ? await repairTarget(context, key, rawId, passage.epoch)
      : await repairSource(context, key, rawId, passage.epoch, options);
  } finally {
    passage.leave();
  }
}

async function repairTarget(context: MigrationContext, key: SessionKey, rawId: string, epoch: number): Promise<RepairOutcome> {
  const [session] = await context.source.get([rawId]);
  if (context.sourceDoubted()) {
    const outcome = await bringBack(context, key, rawId, session, epoch);
    if (outcome !== undefined) return outcome;
  }
  if (session === undefined) return repairMissing(context, key, epoch);
  if (session.ended) {
    await context.target.end(key, context.now());
    return 'repaired';
  }
  return writeTarget(context, session, epoch);
}

async function writeTarget(context: MigrationContext, session: SourceSession, epoch: number): Promise<RepairOutcome> {
  const converted = convertSession(session, context);
  if (!converted.ok) {
    await addDeadLetters(context.control, [converted.letter]);
    return 'dead_letter';
  }
  const { record } = converted;
  let outcome: Awaited<ReturnType<typeof context.target.restore>>;
  try {
    outcome = await context.target.restore(record, epoch);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { slot, id } = record.key;
    const sourceRef = context.refs.seal(record.key, session.rawId);
    await addDeadLetters(context.control, [{ slot, id, sourceRef, reason: 'unstorable', detail: REFUSED }]);
    return 'dead_letter';
  }
  switch (outcome) {
    case 'applied':
    case 'older':
      await removeDeadLetters(context.control, [record.key.id]);
      return 'repaired';
    case 'ended':
      await context.source.end(session.rawId, context.tombstoneMs, epoch);
      return 'repaired';
    case 'collision':
      await addDeadLetters(context.control, [
        {
          slot: record.key.slot,
          id: record.key.id,
          sourceRef: context.refs.seal(record.key, session.rawId),
          reason: 'id_collision',
          detail: 'another session has the same primary key',
        },
      ]);
      return 'dead_letter';
    case 'not_owned':
      // The shard may be the one that is behind: closed for a switch that was given up.
      await context.target.follow(record.key.slot, epoch, 0);
      return 'retry';
  }
}

/**
 * Nothing at the primary source and no termination record. The caller has looked twice. What the target still holds
 * has run out, or was removed by somebody who told nobody; its life is ended there, durably, so that it cannot come back.
 */
async function repairMissing(context: MigrationContext, key: SessionKey, epoch: number): Promise<RepairOutcome> {
  const there = await context.target.get(key);
  if (there.state !== 'live') return 'repaired';
  const { expireTime, sourceRef } = there.record;
  if (expireTime !== null && expireTime <= context.now()) return 'repaired';
  if (sourceRef === null) return 'repaired';
  await context.revocations.endSession({ slot: key.slot, id: key.id, digest: key.digest, reason: 'found_missing' });
  await context.source.end(context.refs.open(key, sourceRef), context.tombstoneMs, epoch);
  await context.target.end(key, context.now());
  await context.revocations.markDrained(key.id);
  return 'repaired';
}

async function repairSource(
  context: MigrationContext,
  key: SessionKey,
  rawId: string,
  epoch: number,
  { afterGrace }: RepairSessionOptions,
): Promise<RepairOutcome> {
  const there = await context.target.get(key);
  if (there.state === 'ended') {
    await context.source.end(rawId, context.tombstoneMs, epoch);
    return 'repaired';
  }
  if (there.state === 'absent') return 'repaired';
  const { record } = there;
  // A touch that it still had in its life may be on its way to the target.
  const overSince = record.expireTime === null ? 0 : context.now() - record.expireTime;
  if (overSince > 0 && overSince < context.graceMs && !afterGrace) return 'retry';
  const expireTime = record.expireTime === null ? null : record.expireTime - context.sourceOffsetMs();
  const written = await context.source.put(rawId, record.attributes, expireTime, record.version);
  if (written.outcome === 'ended') {
    // A tombstone at the source: ended wins.
    await context.target.end(key, context.now());
    return 'repaired';
  }
  if (written.outcome === 'applied') return 'repaired';
  const ttlMs = expireTime === null ? null : expireTime - (await context.source.now());
  if (ttlMs !== null && ttlMs <= 0) return endLife(context, key, rawId, epoch);
  // The same version may still lack a touch.
  if (afterGrace || (await isShorter(context, rawId, expireTime))) {
    // It ran out in between: the next try puts it anew.
    if ((await context.source.touch(rawId, ttlMs, epoch)).outcome === 'missing') return 'retry';
  }
  return 'repaired';
}

/**
 * What ran out at the target must not live on at the source, where a return of the primary side would show it again. A
 * save that came meanwhile is at the target before it is at the source: seen there, it is put anew by the next try.
 */
async function endLife(context: MigrationContext, key: SessionKey, rawId: string, epoch: number): Promise<RepairOutcome> {
  await context.source.touch(rawId, 0, epoch);
  const again = await context.target.get(key);
  const lives = again.state === 'live' && (again.record.expireTime === null || again.record.expireTime > context.now());
  return lives ? 'retry' : 'repaired';
}

/** True when the source lets the session end earlier than at `expireTime` (source's clock). */
async function isShorter(context: MigrationContext, rawId: string, expireTime: number | null): Promise<boolean> {
  const [session] = await context.source.get([rawId]);
  if (session === undefined || session.expireTime === null) return false;
  return expireTime === null || session.expireTime < expireTime;
}
