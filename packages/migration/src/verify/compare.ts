import { isDeepStrictEqual } from 'node:util';
import { compareVersions, type SessionRecord } from '@wherry/sessions';

/** How the two sides of a session can differ. */
export type DifferenceClass =
  /** Alive on the primary side, not there on the other. */
  | 'missing'
  /** Alive on the other side, unknown to the primary. */
  | 'extra'
  /** Alive on both, with different meaning. */
  | 'differs'
  /** Ended on one side, alive on the other. */
  | 'ended_here_alive_there'
  /** Its time ran out between the two readings: not a fault, counted only. */
  | 'expired_in_flight';

/** Expiries may differ by this much: seconds against milliseconds. */
const EXPIRY_TOLERANCE_MS = 1000;

/** One side of a session, seen at one moment. */
export type SideView = { readonly state: 'live'; readonly record: SessionRecord } | { readonly state: 'ended' | 'absent' };

/** A difference with words that hold nothing of the session's content. */
export interface Difference {
  readonly class: DifferenceClass;
  readonly detail: string;
}

/** Compares the two sides at time `now` (target's clock): same principal, authorities, validity, expiry, content. */
export function compareSides(source: SideView, target: SideView, now: number): Difference | undefined {
  const here = atTime(source, now);
  const there = atTime(target, now);
  if (here.state === 'live' && there.state === 'live') return compareRecords(here.record, there.record);
  if (here.state === 'live') return oneSided(there, here.record, now, 'target');
  if (there.state === 'live') return oneSided(here, there.record, now, 'source');
  return undefined;
}

function oneSided(other: SideView, alive: SessionRecord, now: number, where: 'source' | 'target'): Difference {
  if (other.state === 'ended') return { class: 'ended_here_alive_there', detail: `ended at the ${where}` };
  if (alive.expireTime !== null && alive.expireTime - now < EXPIRY_TOLERANCE_MS)
    return { class: 'expired_in_flight', detail: `expires now` };
  return where === 'target' ? { class: 'missing', detail: 'not at the target' } : { class: 'extra', detail: 'not at the source' };
}

/**
 * True when the session is in use and the difference may be only the time that a mirror takes: what the primary side
 * says has changed since the first look. Touches are written behind, so a session in use differs in its expiry at any
 * one moment; in anything else it may differ only while the other side has an older version.
 */
export function isInUse(before: SideView, primary: SideView, other: SideView): boolean {
  if (before.state !== primary.state) return true;
  if (before.state !== 'live' || primary.state !== 'live' || other.state !== 'live') return false;
  const [then, now, there] = [before.record, primary.record, other.record];
  // By its meaning: where writers past us are captured, each reading has a version of its own.
  const moved = now.expireTime !== then.expireTime || firstDifference(now, then) !== undefined;
  return moved && (firstDifference(now, there) === 'expiry' || compareVersions(now.version, there.version) !== 0);
}

/** The first meaning in which two live records differ. */
function compareRecords(source: SessionRecord, target: SessionRecord): Difference | undefined {
  const what = firstDifference(source, target);
  return what === undefined ? undefined : { class: 'differs', detail: what };
}

function firstDifference(a: SessionRecord, b: SessionRecord): string | undefined {
  if (a.userId !== b.userId) return 'user';
  if (a.username !== b.username) return 'username';
  if (!sameSet(a.authorities, b.authorities)) return 'authorities';
  if (!sameExpiry(a.expireTime, b.expireTime)) return 'expiry';
  if (!sameContent(a.attributes, b.attributes)) return 'content';
  if (!sameGeneration(a.userGeneration, b.userGeneration)) return 'generation';
  return undefined;
}

/** The row of a session that was captured may have a generation of which the session itself says nothing. */
function sameGeneration(a: number, b: number): boolean {
  return a === b || a === 0 || b === 0;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a);
  const right = new Set(b);
  return left.size === right.size && [...left].every((value) => right.has(value));
}

function sameExpiry(a: number | null, b: number | null): boolean {
  if (a === null || b === null) return a === b;
  return Math.abs(a - b) <= EXPIRY_TOLERANCE_MS;
}

function sameContent(a: string, b: string): boolean {
  if (a === b) return true;
  // A touch rewrites the end inside the session, which the expiry above speaks for.
  return isDeepStrictEqual(withoutEnd(a), withoutEnd(b));
}

/** Without `cookie.expires` of express-session and `_expire` of koa-session. */
function withoutEnd(text: string): unknown {
  const { _expire: end, ...rest } = JSON.parse(text) as Record<string, unknown>;
  const value = end === undefined || typeof end === 'number' ? rest : { ...rest, _expire: end };
  const cookie = value['cookie'];
  if (typeof cookie !== 'object' || cookie === null) return value;
  return { ...value, cookie: { ...cookie, expires: null } };
}

/** A live side past its time is absent. */
function atTime(view: SideView, now: number): SideView {
  return view.state === 'live' && view.record.expireTime !== null && view.record.expireTime <= now ? { state: 'absent' } : view;
}
