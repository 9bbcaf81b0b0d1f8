import type { MigrationStatus, PartStatus, ShardStatus } from '@wherry/migrator';
import { columns } from '../terminal.ts';

/** A status for people. */
export function statusText(status: MigrationStatus): string {
  const { step, goal, goalPercent, rate, batch, work, verifiedSince, verifyAskedAt, deadLetters, shadow } = status;
  const asked = verifyAskedAt !== null && (verifiedSince === null || verifiedSince <= verifyAskedAt);
  return columns([
    ['step', `${step}${stateText(status)}`],
    ['goal', `${goal} ${goalPercent} %`],
    ['rate', `${rate === 0 ? 'unlimited' : `${rate}/s`}${batch === 0 ? '' : `, ${batch} at a time`}`],
    ['work', workText(status)],
    ...work.parts.filter(({ worker }) => worker !== null).map((part): [string, string] => [`  ${part.pass} ${part.part}`, partText(part)]),
    ...work.shards.map((shard): [string, string] => [`  shard ${shard.shard}`, shardText(shard)]),
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

function stateText({ paused, aborting, abortedAt }: MigrationStatus): string {
  if (abortedAt !== null) return ` (aborted ${time(abortedAt)})`;
  if (aborting) return ' (being aborted)';
  return paused ? ' (paused)' : '';
}

function workText({ work }: MigrationStatus): string {
  const { workers, rate, leftMs, parts } = work;
  if (parts.length === 0) return 'nothing has been shared out yet';
  const done = parts.filter((part) => part.done).length;
  const pace = workers === 0 ? '' : `, ${whole(rate)}/s by ${workers} ${workers === 1 ? 'worker' : 'workers'}`;
  return `${done} of ${parts.length} parts done${pace}${leftText(leftMs)}`;
}

function partText({ counts, expected, rate, pace, leftMs }: PartStatus): string {
  const share = pace['share'] ?? 1;
  const slow = share < 1 ? `, held at ${Math.round(share * 100)} % by slow stores` : '';
  return `${whole(counts['scanned'] ?? 0)} of about ${whole(expected)}, ${whole(rate)}/s${slow}${leftText(leftMs)}`;
}

function shardText({ copied, copyRate, compared, expected, leftMs }: ShardStatus): string {
  const copy = `${whole(copied)} copied${copyRate > 0 ? `, ${whole(copyRate)}/s` : ''}`;
  return expected === 0 ? copy : `${copy}; ${whole(compared)} of about ${whole(expected)} compared${leftText(leftMs)}`;
}

function leftText(leftMs: number | null): string {
  return leftMs === null || leftMs === 0 ? '' : `, about ${whole(Math.ceil(leftMs / 1000))} s left`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
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
