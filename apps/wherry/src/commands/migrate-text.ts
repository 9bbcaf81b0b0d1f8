import type { HistogramBin, MigrationPlan } from '@wherry/migration';
import type { MigrationStatus } from '@wherry/migrator';
import { columns } from '../terminal.ts';

/** A status for people. */
export function statusText(status: MigrationStatus): string {
  const { step, goal, goalPercent, paused, rate, verifiedSince, deadLetters, shadow } = status;
  return columns([
    ['step', `${step}${paused ? ' (paused)' : ''}`],
    ['goal', `${goal} ${goalPercent} %`],
    ['rate', rate === 0 ? 'unlimited' : `${rate}/s`],
    [
      'slots',
      status.slots
        .map(({ shard, side, state, count }) => `shard ${shard}: ${count} ${side}${state === 'open' ? '' : ` ${state}`}`)
        .join(', '),
    ],
    ['verified', verifiedSince === null ? 'not yet' : new Date(verifiedSince).toISOString()],
    ['repairs', `${status.repairs} waiting, ${status.undrainedEnds} ends not in both stores`],
    ['dead letters', `${deadLetters.undecided} undecided, ${deadLetters.abandoned} abandoned`],
    [
      'differences',
      Object.entries(status.differences)
        .map(([name, count]) => `${count} ${name}`)
        .join(', ') || 'none',
    ],
    ['shadow reads', `${shadow.compared} compared, ${shadow.different} different`],
    ['instances', status.instances.map(({ role, state, count }) => `${count} ${role} ${state}`).join(', ') || 'none'],
  ]);
}

/** A plan for people. */
export function planText(plan: MigrationPlan): string {
  const { source, sessions, sampled } = plan;
  const undecodable = Object.entries(plan.undecodable);
  return columns([
    ['source', `${source.kind}, layout ${source.layout}, ${source.location}`],
    ['sessions', `about ${sessions.toLocaleString('en-US')} (${sampled} sampled)`],
    ['signed in', `${plan.signedIn} of the sample, ${plan.anonymous} anonymous`],
    [
      'cannot be decoded',
      undecodable.length === 0 ? 'none of the sample' : undecodable.map(([reason, count]) => `${count} ${reason}`).join(', '),
    ],
    ['time left to live', `${bins(plan.secondsLeft, 's')}; ${plan.neverExpire} never expire`],
    ['size', bins(plan.bytes, 'bytes')],
    ['per shard', plan.perShard.join(', ')],
    [
      'copy and verify',
      `about ${Math.ceil(plan.estimatedMs / 1000)} s, in which about ${plan.expireMeanwhile} sessions run out by themselves`,
    ],
    ['clock offset', `${plan.clockOffsetMs} ms`],
  ]);
}

function bins(histogram: readonly HistogramBin[], unit: string): string {
  const filled = histogram.filter(({ count }) => count > 0);
  return filled.map(({ upTo, count }) => `${count} ${upTo === null ? 'more' : `up to ${upTo} ${unit}`}`).join(', ') || 'none';
}
