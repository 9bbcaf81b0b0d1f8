import type { DumpEntry } from './dump-line.ts';

/** How two exports can differ about one session. `expired_in_flight` and `not_carried` are no faults: they are counted. */
export type DumpDifference =
  /** Alive in the first, unknown to the second. */
  | 'missing'
  /** Alive in the second, unknown to the first. */
  | 'extra'
  /** Alive in both, with another meaning. */
  | 'differs'
  /** Ended in one, alive in the other. */
  | 'ended_here_alive_there'
  /** Its time ran out before the other side was read to its end. */
  | 'expired_in_flight'
  /** The first holds it in a form that cannot be carried: a dead letter. */
  | 'not_carried';

/** A difference, with what differs in words that hold no content. */
export interface Found {
  readonly difference: DumpDifference;
  readonly detail: string;
}

/** Expiries differ by seconds against milliseconds. */
const TOLERANCE_MS = 1000;

/** When each export was read to its end, epoch ms. */
export interface ReadingTimes {
  readonly first: number;
  readonly second: number;
}

/** Compares what two exports say of one session; undefined: the same, or ended for both. */
export function compareEntries(first: DumpEntry | undefined, second: DumpEntry | undefined, finished: ReadingTimes): Found | undefined {
  if (first?.state === 'undecodable' || second?.state === 'undecodable') return { difference: 'not_carried', detail: 'cannot be decoded' };
  if (first?.state === 'live' && second?.state === 'live') {
    const detail = differing(first, second);
    return detail === undefined ? undefined : { difference: 'differs', detail };
  }
  if (first?.state === 'live') {
    if (second !== undefined) return { difference: 'ended_here_alive_there', detail: 'ended in the second, alive in the first' };
    return ranOut(first.expires, finished.second) ?? { difference: 'missing', detail: 'not in the second' };
  }
  if (second?.state === 'live') {
    if (first !== undefined) return { difference: 'ended_here_alive_there', detail: 'ended in the first, alive in the second' };
    return ranOut(second.expires, finished.first) ?? { difference: 'extra', detail: 'not in the first' };
  }
  return undefined;
}

function ranOut(expires: number | null, finished: number): Found | undefined {
  return expires !== null && expires <= finished + TOLERANCE_MS ? { difference: 'expired_in_flight', detail: 'ran out' } : undefined;
}

type Live = Extract<DumpEntry, { state: 'live' }>;

function differing(a: Live, b: Live): string | undefined {
  if (a.user !== b.user) return 'user';
  if (a.name !== b.name) return 'name';
  const [left, right] = [new Set(a.authorities), new Set(b.authorities)];
  if (left.size !== right.size || ![...left].every((authority) => right.has(authority))) return 'authorities';
  if (a.expires === null || b.expires === null) return a.expires === b.expires ? undefined : 'expiry';
  return Math.abs(a.expires - b.expires) > TOLERANCE_MS ? 'expiry' : undefined;
}
