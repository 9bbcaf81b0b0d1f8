import { columns } from '../terminal.ts';
import type { CrowdReport } from './crowd.ts';
import type { StoryEnd } from './story.ts';

/** From stateful to retired. */
const PHASES = 6;

/** The table of the end. */
export function outcomeTable(report: CrowdReport, seconds: number): string {
  const { sessions, renewals } = report;
  const number = (value: number): string => value.toLocaleString('en-US');
  return columns([
    [
      'sessions in the ledger',
      `${number(sessions.total)}: ${number(sessions.live)} live, ${number(sessions.ended)} ended, ${number(sessions.expired)} expired`,
    ],
    ['requests judged', number(report.requests)],
    ['not judged', `${number(report.unjudged)} (overlapped a log-out, or after the expected expiry)`],
    ['ended ones refused', number(report.refused)],
    ['exchanges for JWTs', number(renewals.exchanged)],
    [
      'renewals',
      `${number(renewals.renewed)} at the token endpoint, ${number(renewals.silent)} on the way; ${number(renewals.dropped)} answers dropped, ${number(renewals.refused)} refused`,
    ],
    ['unavailable over 10 s', number(report.unavailable)],
    ['failed otherwise', number(report.failed)],
    ['answered as another user', number(report.otherUser)],
    ['time', `${seconds.toFixed(0)} s`],
  ]);
}

/** The line that says it all. */
export function outcomeLine({ report, rollbacks }: Pick<StoryEnd, 'report' | 'rollbacks'>): string {
  const { carried, lost, resurrected, signedOut, authoritiesChanged } = report;
  return `carried ${carried}, lost ${lost}, resurrected ${resurrected}, signed out ${signedOut}, authorities changed ${authoritiesChanged}, rollbacks ${rollbacks}`;
}

/** The line that says how the clients went over. */
export function phasesLine({ phases, guardRollbacks, statefulAfterRetire }: StoryEnd): string {
  return `phases ${phases}, guardrail rollbacks ${guardRollbacks}, stateful requests after retire ${statefulAfterRetire}`;
}

/** True when every figure is what it should be: everything live was carried through all phases, and nothing else happened. */
export function isFlawless({ report, phases, guardRollbacks, statefulAfterRetire }: StoryEnd): boolean {
  const faults = [
    report.lost,
    report.resurrected,
    report.signedOut,
    report.authoritiesChanged,
    report.otherUser,
    report.unavailable,
    report.failed,
    report.forged,
    report.staleRenewals,
    report.stateful,
    statefulAfterRetire,
  ];
  const all = report.carried > 0 && report.carried === report.probed.live;
  return all && faults.every((count) => count === 0) && phases === PHASES && guardRollbacks === 1;
}
