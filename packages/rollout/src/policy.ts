import { NO_LISTS, armOf, bucketOf, listedAs, type CohortLists, type CohortRule, type RolloutArm } from './cohort.ts';
import type { MinimumCredential } from './minimum-credential.ts';
import type { RolloutPhase } from './phase.ts';

/** What the phase means for the requests, log-ins and renewals of one user. */
export interface RolloutPolicy {
  readonly arm: RolloutArm;
  /** A request with a session token alone is judged by it; how far, `minimum` says. */
  readonly acceptSessions: boolean;
  /** A request with an access token is judged by it. In every phase, and so are renewals of families that live. */
  readonly acceptJwts: boolean;
  /** A log-in or an exchange gives an access token. */
  readonly issueJwts: boolean;
  /** A log-in or an exchange begins a family of renewals. */
  readonly issueRenewals: boolean;
  /** A log-in gives a session token. */
  readonly issueSessions: boolean;
  /** A renewal gives a new session token of the same session too: the client may have dropped the one it had. */
  readonly renewalMintsSession: boolean;
  /** The client is told to fetch access tokens and to use them. */
  readonly leadToJwt: boolean;
  /** The least credential that is asked for. What is enforced is lower where the client has not shown that it can: `enforcedMinimum`. */
  readonly minimum: MinimumCredential;
  /** How long a client must have used no session token before its own is refused, milliseconds. */
  readonly quietMs: number;
}

/** What policies follow from. */
export type RolloutCourse = RolloutPhase & {
  /** False while the narrower half of the phase is not in force. */
  readonly settled: boolean;
  /** True when the last step went back. */
  readonly retreating: boolean;
  readonly quietMs: number;
};

/** The policy of each arm. */
export type RolloutPolicies = Readonly<Record<RolloutArm, RolloutPolicy>>;

/**
 * The policies of a course; made once for each, so that a request costs a look-up.
 *
 * Acceptance is wider than issuance at all times: access tokens are verified and families renewed in every phase,
 * `stateful` included. There is no moment at which one instance gives out what another one, which has not heard of the
 * phase yet, turns away; and a step back stops issuance only, so that what was given out before it lives to its end.
 * Where none was ever given out, none can be valid.
 */
export function policiesOf(course: RolloutCourse): RolloutPolicies {
  const of = (arm: RolloutArm): RolloutPolicy => Object.freeze({ arm, quietMs: course.quietMs, ...rulesOf(course, arm) });
  return { cohort: of('cohort'), control: of('control'), outside: of('outside') };
}

function rulesOf(course: RolloutCourse, arm: RolloutArm): Omit<RolloutPolicy, 'arm' | 'quietMs'> {
  const both = {
    acceptSessions: true,
    acceptJwts: true,
    issueJwts: true,
    issueRenewals: true,
    issueSessions: true,
    renewalMintsSession: course.retreating,
  };
  switch (course.phase) {
    case 'stateful':
      return { ...both, issueJwts: false, issueRenewals: false, leadToJwt: false, minimum: 'any' };
    case 'dual':
      return { ...both, leadToJwt: false, minimum: 'any' };
    case 'led':
    case 'preferred':
      return { ...both, leadToJwt: arm === 'cohort', minimum: arm === 'cohort' ? 'preferred' : 'any' };
    case 'drain': {
      // Issuance narrows with the phase, acceptance when it has settled: see settle.ts.
      const minimum = course.settled ? 'only' : 'preferred';
      return { ...both, issueSessions: false, renewalMintsSession: false, leadToJwt: true, minimum };
    }
    case 'retired':
      return { ...both, acceptSessions: false, issueSessions: false, renewalMintsSession: false, leadToJwt: true, minimum: 'only' };
  }
}

/**
 * What an instance does that has lost its lease: nobody waits for it any more, so the others may be any number of steps
 * further in either direction. It accepts all that any phase before `retired` accepts, because there may be nobody left
 * who would exchange what it refuses. It gives out no session tokens, because there may be nobody left who takes them, and begins no
 * families, because `stateful` may be reached. Access tokens it gives out as before: they are taken everywhere, and end soon.
 * `retired` is final, so whoever knows of it knows enough.
 */
export function withoutLease(policies: RolloutPolicies): RolloutPolicies {
  const wide = (policy: RolloutPolicy): RolloutPolicy =>
    Object.freeze({
      ...policy,
      issueRenewals: false,
      issueSessions: false,
      renewalMintsSession: false,
      minimum: policy.acceptSessions ? 'any' : policy.minimum,
    });
  return { cohort: wide(policies.cohort), control: wide(policies.control), outside: wide(policies.outside) };
}

const ARMS: readonly RolloutArm[] = ['cohort', 'control', 'outside'];

/** True when some user may be refused, or may not be given, after the step what was accepted or given before it. */
export function narrows(from: RolloutCourse, to: RolloutCourse): boolean {
  const [before, after] = [policiesOf(from), policiesOf(to)];
  return ARMS.some((arm) => {
    const [was, is] = [before[arm], after[arm]];
    return (
      (was.acceptSessions && !is.acceptSessions) ||
      (was.issueJwts && !is.issueJwts) ||
      (was.issueSessions && !is.issueSessions) ||
      (is.minimum === 'only' && (was.minimum !== 'only' || is.quietMs < was.quietMs))
    );
  });
}

/** The arm of a user. `bucket` answers his bucket, and is asked only where it counts. */
export function armIn(
  course: RolloutPhase & Omit<CohortRule, 'percent'>,
  lists: CohortLists,
  userId: string,
  clientId: string | undefined,
  bucket: (salt: string, userId: string) => number = bucketOf,
): RolloutArm {
  switch (course.phase) {
    case 'stateful':
    case 'dual':
      return 'outside';
    case 'led':
      return armOf(course, listedAs(lists, userId, clientId), bucket(course.salt, userId));
    case 'preferred': {
      // To be spared by a list was for the time of trial.
      const listed = listedAs(lists, userId, clientId) === 'include' ? 'include' : undefined;
      return armOf({ ...course, percent: 100 }, listed, bucket(course.salt, userId));
    }
    case 'drain':
    case 'retired':
      return 'cohort';
  }
}

/** The policy for one user of one client. Pure; `RolloutState` answers the same from memory. */
export function policyFor(
  state: RolloutCourse & Omit<CohortRule, 'percent'>,
  userId: string,
  clientId?: string,
  lists: CohortLists = NO_LISTS,
): RolloutPolicy {
  return policiesOf(state)[armIn(state, lists, userId, clientId)];
}
