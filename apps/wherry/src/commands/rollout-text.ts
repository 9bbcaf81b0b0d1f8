import type { Database } from '@wherry/core/control';
import {
  cohortList,
  evaluateGuardrails,
  guardrailText,
  limitsOf,
  readFigures,
  rolloutFollowers,
  type CohortEntry,
  type CohortMember,
  type GuardrailFinding,
  type Rollout,
  type RolloutFigures,
  type RolloutFollowers,
  type RolloutHistoryEntry,
  type RolloutPhase,
} from '@wherry/rollout';
import { columns } from '../terminal.ts';

/** How far back the figures of a status go. */
const WINDOW_MS = 1_800_000;
const DAY_MS = 24 * 3600 * 1000;

/** All that a status shows. */
export interface RolloutStatus {
  readonly rollout: Rollout;
  readonly followers: RolloutFollowers;
  readonly lists: { readonly include: number; readonly exclude: number };
  readonly figures: RolloutFigures;
  readonly guardrails: readonly GuardrailFinding[];
}

/** Reads a status. Errors: `control_unavailable`. */
export async function rolloutStatus(database: Database, rollout: Rollout): Promise<RolloutStatus> {
  const { rows } = await database.query<{ now: bigint }>('SELECT wherry_now() AS now');
  const [followers, listed, figures] = [
    await rolloutFollowers(database, rollout.seq),
    await cohortList(database),
    await readFigures(database, rollout.course, Number(rows[0]?.now) - WINDOW_MS),
  ];
  const of = (arm: 'include' | 'exclude'): number => listed.filter((entry) => entry.arm === arm).length;
  return {
    rollout,
    followers,
    lists: { include: of('include'), exclude: of('exclude') },
    figures,
    guardrails: evaluateGuardrails(figures, rollout.phase, limitsOf(rollout)),
  };
}

/** A status for programs. */
export function statusJson({ rollout, followers, lists, figures, guardrails }: RolloutStatus): string {
  const { phase, version, changedAt, settled, retreating, paused, holdOut, quietMs } = rollout;
  const percent = rollout.phase === 'led' ? { percent: rollout.percent } : {};
  const acknowledged = followers.following === 0 ? null : followers.behind.length === 0;
  const behind = followers.behind.map(({ instance, role }) => ({ instance, role }));
  // The classes of durations say nothing without their edges; the guardrail has what they come to.
  const arms = Object.fromEntries(Object.entries(figures).map(([arm, counts]) => [arm, { ...counts, latency: undefined }]));
  return JSON.stringify({
    phase,
    ...percent,
    version,
    changedAt,
    settled,
    retreating,
    paused,
    holdOut,
    quietMs,
    lists,
    acknowledged,
    behind,
    arms,
    guardrails,
  });
}

/** A status for people. */
export function statusText({ rollout, followers, lists, figures, guardrails }: RolloutStatus): string {
  const { paused } = rollout;
  const watched = rollout.phase !== 'stateful' && rollout.phase !== 'retired';
  return columns([
    ['phase', `${phaseText(rollout)}${rollout.settled ? '' : ` (${pendingText(rollout)})`}`],
    ['version', String(rollout.version)],
    ['since', timeText(rollout.changedAt)],
    ...(paused === null
      ? []
      : [['held', `by ${paused.actor} ${timeText(paused.at)}${paused.reason === null ? '' : `: ${paused.reason}`}`] as const]),
    ['hold-out', `${rollout.holdOut} %; listed: ${lists.include} included, ${lists.exclude} excluded`],
    ['quiet time', `${rollout.quietMs / DAY_MS} days`],
    ...(watched ? Object.entries(figures).map(([arm, counts]) => [arm, armText(counts)] as const) : []),
    ...(watched
      ? guardrails.map((finding) => [finding.verdict === 'breach' ? 'BREACH' : 'guardrail', guardrailText(finding)] as const)
      : []),
    ['instances', followersText(followers)],
  ]);
}

function armText({ ok, unauthorized, unavailable, renewed, renewalFailed, compared, differed }: RolloutFigures['cohort']): string {
  const numbers = `${ok} let in, ${unauthorized} refused, ${unavailable} undecided`;
  return `${numbers}; ${renewed} renewed, ${renewalFailed} not; ${compared} compared, ${differed} different`;
}

function pendingText({ phase }: Rollout): string {
  return phase === 'drain'
    ? 'not settled: no session token is refused until every live instance has ceased to give them out'
    : 'not settled: renewals begun in later phases still live, or an instance does not act on it yet';
}

function followersText({ following, behind }: RolloutFollowers): string {
  if (following === 0) return 'no instance follows it';
  if (behind.length === 0) return 'every live instance acts on it';
  return `not every live instance acts on it yet: ${behind.map(({ role, instance }) => `${role} ${instance}`).join(', ')}`;
}

/** One change of the past, in a line. */
export function historyText({ at, action, from, to, actor, reason, details }: RolloutHistoryEntry): string {
  const [before, after] = [phaseText(from), phaseText(to)];
  const what = before === after ? `${action.slice('rollout.'.length)} in ${after}${listText(details['list'])}` : `${before} -> ${after}`;
  return `${timeText(at)}  ${what}  ${actor}${reason === null ? '' : `: ${reason}`}`;
}

function listText(list: unknown): string {
  if (typeof list !== 'object' || list === null) return '';
  const { arm, kind, value } = list as CohortMember & { readonly arm: CohortEntry | null };
  return ` ${arm ?? 'remove'} ${kind} ${value}`;
}

/** A phase for people. */
export function phaseText(state: RolloutPhase): string {
  return state.phase === 'led' ? `led ${state.percent} %` : state.phase;
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
