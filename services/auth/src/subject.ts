import { WherryError } from '@wherry/core';
import {
  clientIdOf,
  parseSessionToken,
  sessionIdText,
  type CarriedRead,
  type CarriedSessions,
  type SessionKey,
  type SessionRecord,
} from '@wherry/sessions';
import type { AuthContext } from './context.ts';

/** A live session with somebody signed in to it. Times in epoch milliseconds. */
export interface Subject {
  readonly key: SessionKey;
  readonly userId: string;
  readonly username: string | null;
  readonly authorities: readonly string[];
  /** The user's generation that is stamped on the session. */
  readonly generation: number;
  /** The application that the user signed in with, where it is known. */
  readonly clientId: string | undefined;
  /** Before the reading: what is revoked from then on reaches a token that says so. */
  readonly readAt: number;
  /** When it ends untouched; null: never. */
  readonly expireTime: number | null;
  /** Where it was carried over: its id there, a secret, and how long it lives untouched. */
  readonly legacy?: { readonly rawId: string; readonly idleMs: number };
}

/** A subject that a token can be issued for. */
export interface TokenSubject extends Subject {
  /** When the user signed in, as far as is known. */
  readonly createTime: number;
}

/** The session of a session token. Errors: `session_token_malformed`, `session_unknown`, `session_ended`, `session_anonymous`, `user_disabled`, `shard_unavailable`, `slot_not_owned`. */
export async function sessionOfToken(context: AuthContext, token: string): Promise<TokenSubject> {
  const { target, ended } = context.runtime;
  const key = parseSessionToken(token);
  if (key === undefined) throw new WherryError('session_token_malformed', 'the session token is not one that is given out here');
  const readAt = context.now();
  const read = await target.get(key);
  // Asked after the reading: a log-out in between is seen by one of the two.
  if (read.state === 'ended' || ended.isSessionEnded(sessionIdText(key.id))) throw endedError();
  if (read.state === 'absent') throw unknown();
  return subjectOfRecord(context, read.record, readAt);
}

/** The subject of a row that its owner has. Errors: `session_unknown` where its time is over, `session_ended`, `session_anonymous`, `user_disabled`. */
export function subjectOfRecord(context: AuthContext, record: SessionRecord, readAt: number): TokenSubject {
  // The row's expiry moves with every touch; the absolute one is counted from the log-in.
  if ((record.expireTime ?? Infinity) <= readAt || record.createTime + context.absoluteMs <= readAt) throw unknown();
  if (record.userId === null) throw anonymous();
  requireEnabled(context, record.userId);
  if (record.userGeneration < context.runtime.ended.minimumGeneration(record.userId)) throw endedError();
  return {
    key: record.key,
    userId: record.userId,
    username: record.username,
    authorities: record.authorities,
    generation: record.userGeneration,
    clientId: clientIdOf(record),
    readAt,
    expireTime: record.expireTime,
    createTime: record.createTime,
  };
}

/** The session of a legacy id, read from its primary side. Errors: as {@link sessionOfToken}, `session_undecodable`, `source_unavailable`. */
export async function sessionOfLegacyId(context: AuthContext, rawId: string): Promise<Subject> {
  const readAt = context.now();
  return legacySubject(await sessionsOf(context).read(rawId), rawId, readAt);
}

/**
 * The same, and from now on the target has the session too, so that it can be found by the id that a token will name.
 * Errors: as {@link sessionOfLegacyId}; `session_collision` when another session has that id.
 */
export async function carriedSession(context: AuthContext, rawId: string): Promise<TokenSubject> {
  const readAt = context.now();
  const subject = legacySubject(await sessionsOf(context).carry(rawId), rawId, readAt);
  const row = await context.runtime.target.get(subject.key);
  if (row.state === 'ended') throw endedError();
  if (row.state === 'absent') throw new WherryError('session_collision', 'another session has the id of this one; sign in again');
  return { ...subject, createTime: Math.min(row.record.createTime, readAt) };
}

/** A session with this share of its idle time left is not touched: gateways do not either. */
const FRESH_SHARE = 0.75;

/**
 * Counts the exchange as a use of the session, so that a token does not outlive it: whoever is active is not signed out
 * for being idle. Answers when the session ends untouched from now on. Errors: as {@link sessionOfLegacyId}.
 */
export async function keepAlive(context: AuthContext, subject: TokenSubject): Promise<number | null> {
  const { key, createTime, expireTime, legacy } = subject;
  if (expireTime === null) return null;
  const now = context.now();
  if (legacy !== undefined) {
    // Used a moment ago: the store, which is the slowest of all, has nothing to learn from this.
    if (expireTime - now >= FRESH_SHARE * legacy.idleMs) return expireTime;
    const outcome = await sessionsOf(context).touch(legacy.rawId, legacy.idleMs);
    if (outcome === 'ended') throw endedError();
    if (outcome === 'missing') throw unknown();
    return now + legacy.idleMs;
  }
  const absolute = createTime + context.absoluteMs;
  const until = Math.min(now + context.idleMs, absolute);
  if (until > expireTime) context.runtime.target.touch(key, { lastAccessTime: now, expireTime: until, touchVersion: now });
  // Others who touch the session do not count its absolute life.
  return Math.min(Math.max(until, expireTime), absolute);
}

function legacySubject(read: CarriedRead, rawId: string, readAt: number): Subject {
  switch (read.state) {
    case 'absent':
      throw unknown();
    case 'ended':
      throw endedError();
    case 'undecodable':
      throw new WherryError('session_undecodable', 'the session has a form that cannot be read');
    case 'live': {
      const { key, userId, username, authorities, userGeneration: generation, expireTime, idleMs, tokensNotBefore } = read;
      if (userId === null) throw anonymous();
      const legacy = { rawId, idleMs };
      return {
        key,
        userId,
        username,
        authorities,
        generation,
        clientId: undefined,
        readAt: after(tokensNotBefore, readAt),
        expireTime,
        legacy,
      };
    }
  }
}

/**
 * When a session counts as read whose earlier tokens were ended because it had changed: later than all of them, which may be
 * a second or two ahead of the clock. The bound has to be asked for before the reading.
 */
export function after(tokensNotBefore: number, readAt: number): number {
  return Math.max(readAt, (tokensNotBefore + 1) * 1000);
}

function sessionsOf({ legacy }: AuthContext): CarriedSessions {
  if (legacy === undefined) throw new WherryError('session_unknown', 'no sessions of another application are accepted here');
  return legacy.sessions;
}

function unknown(): WherryError {
  return new WherryError('session_unknown', 'there is no such session, or its time is over');
}

/** Errors: `user_disabled`. */
export function requireEnabled({ runtime }: AuthContext, userId: string): void {
  if (runtime.ended.isUserDisabled(userId)) throw disabledError();
}

/** What a user who is kept out is told. */
export function disabledError(): WherryError {
  return new WherryError('user_disabled', 'the user is disabled');
}

function endedError(): WherryError {
  return new WherryError('session_ended', 'the session was ended');
}

function anonymous(): WherryError {
  return new WherryError('session_anonymous', 'nobody has signed in to the session');
}
