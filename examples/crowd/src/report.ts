import { isLive } from './judge.ts';
import { now } from './ledger.ts';
import type { Probed } from './probe.ts';
import type { Offence } from './tally.ts';
import type { Renewals, World } from './world.ts';

/** What the record says, as a whole. Faults count sessions, not requests. */
export interface Report {
  /** By the last probe; 0 before the first. */
  readonly carried: number;
  readonly lost: number;
  readonly resurrected: number;
  readonly signedOut: number;
  readonly authoritiesChanged: number;
  /** Answered as somebody else. */
  readonly otherUser: number;
  /** No answer for longer than a client is patient. */
  readonly unavailable: number;
  /** Answers that are neither success nor 401 nor a matter of availability. */
  readonly failed: number;
  /** Requests with their final answer. */
  readonly requests: number;
  /** Requests that the definitions do not cover: overlapping an end, or past the expected expiry. */
  readonly unjudged: number;
  /** Ended credentials that were refused, as they should be. */
  readonly refused: number;
  /** Expired JWTs replaced by one exchange. */
  readonly recovered: number;
  /** Accepted though they were mutilated tokens, superseded renewal credentials, cookies after retire. */
  readonly forged: number;
  readonly staleRenewals: number;
  readonly stateful: number;
  readonly renewals: Renewals;
  /** Users whose client was told to go over. */
  readonly told: number;
  readonly sessions: {
    readonly total: number;
    readonly live: number;
    readonly ended: number;
    readonly undecided: number;
    readonly expired: number;
  };
  readonly probed: Probed;
  readonly offences: readonly Offence[];
}

/** Reads the record out. */
export function reportOf(world: World, probed: Probed | undefined): Report {
  const { ledger, tally, renewals, told } = world;
  const at = now();
  const sessions = { total: 0, live: 0, ended: 0, undecided: 0, expired: 0 };
  for (const session of ledger.sessions()) {
    sessions.total++;
    if (session.ending !== undefined) sessions[session.ending.acknowledgedAt === undefined ? 'undecided' : 'ended']++;
    else sessions[isLive(session, at) ? 'live' : 'expired']++;
  }
  return {
    carried: probed?.carried ?? 0,
    lost: tally.count('lost'),
    resurrected: tally.count('resurrected'),
    signedOut: tally.count('signed-out'),
    authoritiesChanged: tally.count('authorities-changed'),
    otherUser: tally.count('other-user'),
    unavailable: tally.count('unavailable'),
    failed: tally.count('failed'),
    ...tally.totals,
    forged: tally.count('forged'),
    staleRenewals: tally.count('stale-renewal'),
    stateful: tally.count('stateful'),
    renewals: { ...renewals },
    told: told.size,
    sessions,
    probed: probed ?? { live: 0, carried: 0, ended: 0, asked: 0 },
    offences: tally.offences(),
  };
}
