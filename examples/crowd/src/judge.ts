import type { RequestFacts, SessionFacts } from './facts.ts';

/**
 * What can be wrong. The first four are the promise of the migration; `other-user` is the worst kind of changed identity.
 * Accepted though unfit: `forged` a mutilated token, `stale-renewal` a superseded renewal credential, `stateful` a cookie after retire.
 */
export type Fault =
  | 'lost'
  | 'resurrected'
  | 'signed-out'
  | 'authorities-changed'
  | 'other-user'
  | 'unavailable'
  | 'failed'
  | 'forged'
  | 'stale-renewal'
  | 'stateful';

/** A judgement: `good`, `refused` (rightly: an ended session, an unfit credential), `unjudged` (the definitions do not cover it) or a fault. */
export type Verdict = 'good' | 'refused' | 'unjudged' | Fault;

/** Before a session's expected expiry by this much it is no longer judged as live: clocks, and whole seconds in stores. */
export const EXPIRY_TOLERANCE_MS = 5000;

/** True when a session is signed in at `at` by all that its user knows. */
export function isLive(session: SessionFacts, at: number): boolean {
  return session.ending === undefined && at < session.expectedExpiry - EXPIRY_TOLERANCE_MS;
}

/**
 * Judges a request that has its final answer, by what the record holds at that moment. All log-outs that could overlap
 * it are known then: one that starts later does not overlap.
 */
export function judgeRequest(session: SessionFacts, request: RequestFacts): Verdict {
  if (isUnavailable(request.status)) return 'unavailable';
  if (request.unfit !== undefined) return judgeUnfit(request.status, request.unfit);
  const { ending } = session;
  // The only try at ending a session says how the session was before it; a repeat may meet what the first try did.
  const speaksOfBefore = request.ends === true && request.attempts === 1;
  if (ending !== undefined && !speaksOfBefore) {
    const endedBefore = ending.acknowledgedAt !== undefined && ending.acknowledgedAt <= request.startedAt;
    if (endedBefore) return isSuccess(request.status) ? 'resurrected' : 'refused';
    if (ending.startedAt <= request.endedAt) return 'unjudged';
  }
  return judgeLive(session, request);
}

function judgeUnfit(status: number, unfit: NonNullable<RequestFacts['unfit']>): Verdict {
  if (status === 401) return 'refused';
  return isSuccess(status) ? ACCEPTED[unfit] : 'failed';
}

const ACCEPTED = { mutilated: 'forged', superseded: 'stale-renewal', retired: 'stateful' } as const satisfies Record<
  NonNullable<RequestFacts['unfit']>,
  Fault
>;

function judgeLive(session: SessionFacts, request: RequestFacts): Verdict {
  if (request.endedAt >= request.expectedExpiry - EXPIRY_TOLERANCE_MS) return 'unjudged';
  if (request.status === 401) return request.recovered === true ? 'good' : 'signed-out';
  if (!isSuccess(request.status)) return 'failed';
  // A JWT may end by its own expiry and be exchanged once; one that was refused during its life signed the user out.
  if (request.exchanged === 'unexpired') return 'signed-out';
  if (request.userId !== undefined && request.userId !== session.userId) return 'other-user';
  if (request.authorities !== undefined && !sameSet(request.authorities, session.authorities)) return 'authorities-changed';
  return 'good';
}

/** Judges whether the target holds a session; the answer arrived at `at`. */
export function judgePresence(session: SessionFacts, present: boolean, at: number): Verdict {
  if (!isLive(session, at)) return 'unjudged';
  return present ? 'good' : 'lost';
}

/** True for an answer that carries the session: the server knew the user. */
export function isCarried(verdict: Verdict, request: RequestFacts): boolean {
  return verdict === 'good' && request.userId !== undefined && request.authorities !== undefined;
}

/** True when nobody could answer: the client repeats such a request for a while. */
export function isUnavailable(status: number): boolean {
  return status === 0 || (status >= 502 && status <= 504);
}

/** Equality of sets: order and repetition mean nothing. */
export function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  return left.size === right.size && [...left].every((value) => right.has(value));
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
