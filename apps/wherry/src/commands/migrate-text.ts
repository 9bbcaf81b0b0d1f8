import type { MigrationStatus } from '@wherry/migrator';
import { columns } from '../terminal.ts';

/** A status for people. */
export function statusText(status: MigrationStatus): string {
  const { step, goal, goalPercent, paused, rate, verifiedSince, verifyAskedAt, deadLetters, shadow } = status;
  const asked = verifyAskedAt !== null && (verifiedSince === null || verifiedSince <= verifyAskedAt);
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
    ['verified', `${verifiedSince === null ? 'not yet' : time(verifiedSince)}${asked ? `, asked for again ${time(verifyAskedAt)}` : ''}`],
    ['repairs', `${status.repairs} waiting, ${status.undrainedEnds} ends not in both stores`],
    ['dead letters', `${deadLetters.undecided} undecided, ${deadLetters.abandoned} abandoned`],
    ['differences', differencesText(status)],
    ['shadow reads', `${shadow.compared} compared, ${shadow.different} different`],
    ['instances', status.instances.map(({ role, state, count }) => `${count} ${role} ${state}`).join(', ') || 'none'],
  ]);
}

/** What the newest verification found, and whether that is mended. */
function differencesText({ verification, lastDifferences }: MigrationStatus): string {
  if (verification === null) return 'nothing has been compared yet';
  const { startedAt, endedAt, compared, differences, standing } = verification;
  const found = counts(differences);
  const words = found === '' ? 'none' : `${found} (${standing === 0 ? 'all mended' : `${standing} stand`})`;
  const now =
    endedAt === null
      ? `${words} so far, comparing since ${time(startedAt)}`
      : `${words}, ${compared.toLocaleString('en-US')} compared, ended ${time(endedAt)}`;
  const before =
    lastDifferences === null || lastDifferences.startedAt === startedAt
      ? ''
      : `; before: ${counts(lastDifferences.differences)}, ${time(lastDifferences.startedAt)}`;
  return now + before;
}

function counts(differences: Readonly<Record<string, number>>): string {
  return Object.entries(differences)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
