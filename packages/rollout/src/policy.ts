import { inCohort } from './cohort.ts';
import type { RolloutPhase } from './phase.ts';

/** What the phase means for the requests and log-ins of one user. */
export interface RolloutPolicy {
  /** A request with a session token alone is judged by it. */
  readonly acceptSessions: boolean;
  /** A request with an access token is judged by it. */
  readonly acceptJwts: boolean;
  /** A log-in or an exchange gives an access token. */
  readonly issueJwts: boolean;
  /** The client is told to fetch access tokens and to use them. */
  readonly leadToJwt: boolean;
}

/**
 * The policy for one user.
 *
 * Acceptance is wider than issuance at all times: access tokens are verified in every phase, `stateful` included. There
 * is no moment at which one instance gives out what another one, which has not heard of the phase yet, turns away; and
 * a step back stops issuance only, so that what was given out before it lives to its end. Where none was ever given
 * out, none can be valid.
 */
export function policyFor(state: RolloutPhase & { readonly salt: string }, userId: string): RolloutPolicy {
  switch (state.phase) {
    case 'stateful':
      return { acceptSessions: true, acceptJwts: true, issueJwts: false, leadToJwt: false };
    case 'dual':
      return { acceptSessions: true, acceptJwts: true, issueJwts: true, leadToJwt: false };
    case 'led':
      return { acceptSessions: true, acceptJwts: true, issueJwts: true, leadToJwt: inCohort(state.salt, userId, state.percent) };
  }
}
