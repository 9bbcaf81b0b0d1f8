import { carriedSessionKey, carriedSessionKeys, type SessionKey, type SessionRecord, type SessionVersion } from '../record.ts';
import type { SourceSession } from '../source/contract.ts';
import type { DecodedSession, SessionDecoder } from '../source/decoder.ts';
import type { DeadLetter, DeadLetterReason } from './dead-letters.ts';
import { stampedGeneration } from './generation.ts';
import type { SourceRefs } from './source-ref.ts';

/** What the conversion of source sessions needs. */
export interface Conversion {
  readonly decode: SessionDecoder;
  readonly refs: SourceRefs;
  readonly defaultIdleMs: number;
  /** Target's clock less the source's, ms. */
  readonly sourceOffsetMs: () => number;
}

/** A source session as a record of the target, or why it cannot be one. */
export type Converted = { readonly ok: true; readonly record: SessionRecord } | { readonly ok: false; readonly letter: DeadLetter };

/** Facts of a write or a reading. Source's clock, epoch ms. */
export interface SourceFacts {
  readonly version: SessionVersion;
  readonly expireTime: number | null;
  /** When the facts were true: a touch counts against them only when it is later. */
  readonly asOf: number;
}

/** Converts what was read from the source. */
export function convertSession(session: SourceSession, conversion: Conversion): Converted {
  const key = carriedSessionKey(session.rawId);
  const decoded = conversion.decode(session.value);
  if (!decoded.ok) return { ok: false, letter: deadLetter(key, session.rawId, decoded.why.reason, decoded.why.detail, conversion.refs) };
  const facts = { version: session.version, expireTime: session.expireTime, asOf: session.readAt };
  return { ok: true, record: recordOf(key, session.rawId, decoded.session, facts, conversion) };
}

/** Converts many that are no tombstones, in order: what {@link convertSession} makes of each, with less work. */
export function convertSessions(sessions: readonly SourceSession[], conversion: Conversion): Converted[] {
  const rawIds = sessions.map(({ rawId }) => rawId);
  const keys = carriedSessionKeys(rawIds);
  const sealed = conversion.refs.sealMany(keys, rawIds);
  return sessions.map(({ value, version, expireTime, readAt }, index): Converted => {
    const key = keys[index] as SessionKey;
    const sourceRef = sealed[index] as Buffer;
    const decoded = conversion.decode(value);
    if (!decoded.ok) return { ok: false, letter: { slot: key.slot, id: key.id, sourceRef, ...decoded.why } };
    return { ok: true, record: recordWith(key, sourceRef, decoded.session, { version, expireTime, asOf: readAt }, conversion) };
  });
}

/** The record of a decoded session; its times are moved to the target's clock. */
export function recordOf(
  key: SessionKey,
  rawId: string,
  session: DecodedSession,
  facts: SourceFacts,
  conversion: Conversion,
): SessionRecord {
  return recordWith(key, conversion.refs.seal(key, rawId), session, facts, conversion);
}

function recordWith(
  key: SessionKey,
  sourceRef: Buffer,
  session: DecodedSession,
  facts: SourceFacts,
  conversion: Omit<Conversion, 'refs'>,
): SessionRecord {
  const offset = conversion.sourceOffsetMs();
  const idleMs = session.idleMs ?? conversion.defaultIdleMs;
  const expireTime = endOf(facts.expireTime, session);
  const lastAccess = expireTime === null ? facts.asOf : Math.min(facts.asOf, expireTime - idleMs);
  return {
    key,
    userId: session.userId,
    username: session.username,
    role: session.authorities[0] ?? null,
    authorities: session.authorities,
    // Where the session keeps no time of creation, the first access that is known stands for it.
    createTime: Math.round(Math.min(session.createTime ?? lastAccess, facts.asOf) + offset),
    lastAccessTime: Math.round(lastAccess + offset),
    expireTime: expireTime === null ? null : Math.round(expireTime + offset),
    userGeneration: stampedGeneration(session.attributes),
    attributes: session.attributes,
    version: facts.version,
    touchVersion: Math.round(facts.asOf + offset),
    sourceRef,
  };
}

/** When a session ends, epoch ms of the source's clock: what its store says, and what it says itself, whichever comes first; null: never. */
export function endOf(stored: number | null, { expireTime }: Pick<DecodedSession, 'expireTime'>): number | null {
  if (expireTime === undefined) return stored;
  return stored === null ? expireTime : Math.min(stored, expireTime);
}

/** A dead letter for a session of the source. */
export function deadLetter(key: SessionKey, rawId: string, reason: DeadLetterReason, detail: string, refs: SourceRefs): DeadLetter {
  return { slot: key.slot, id: key.id, sourceRef: refs.seal(key, rawId), reason, detail };
}
