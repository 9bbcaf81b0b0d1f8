import { carriedSessionKey, convertSession, type SourceDescription, type SourceSession } from '@wherry/sessions';
import { SIZE_BOUNDS, TTL_BOUNDS, histogram, type HistogramBin } from '../analysis/histogram.ts';
import { estimateTime } from '../analysis/time-estimate.ts';
import type { MigrationContext } from '../context.ts';

/** Sessions looked at for the report. */
const SAMPLE = 5000;
const PAGE = 500;

/** What was found in the source and what the migration would do, before it does anything. */
export interface MigrationPlan {
  readonly source: SourceDescription;
  /** About how many sessions there are. */
  readonly sessions: number;
  readonly sampled: number;
  /** Of the sample. */
  readonly signedIn: number;
  readonly anonymous: number;
  readonly undecodable: Readonly<Record<string, number>>;
  readonly neverExpire: number;
  /** Seconds left to live. */
  readonly secondsLeft: readonly HistogramBin[];
  /** Bytes of the stored text. */
  readonly bytes: readonly HistogramBin[];
  /** Sessions per shard if every session went where its id sends it, of the sample. */
  readonly perShard: readonly number[];
  /** Estimated time for copy and verification, ms. */
  readonly estimatedMs: number;
  /** About how many sessions run out by themselves in that time. */
  readonly expireMeanwhile: number;
  /** Target's clock less the source's, ms. */
  readonly clockOffsetMs: number;
}

/** Samples the source and reports. Changes nothing anywhere. */
export async function planMigration(context: MigrationContext): Promise<MigrationPlan> {
  const sessions = await context.source.count();
  const sample = await sampleSessions(context);
  const undecodable: Record<string, number> = {};
  let signedIn = 0;
  let anonymous = 0;
  const perShard = Array.from({ length: context.shards.size }, () => 0);
  for (const session of sample) {
    const shard = context.slots.shardOf(carriedSessionKey(session.rawId).slot);
    perShard[shard] = (perShard[shard] ?? 0) + 1;
    const converted = convertSession(session, context);
    if (!converted.ok) undecodable[converted.letter.reason] = (undecodable[converted.letter.reason] ?? 0) + 1;
    else if (converted.record.userId === null) anonymous++;
    else signedIn++;
  }
  const left = sample.flatMap(({ expireTime, readAt }) => (expireTime === null ? [] : [(expireTime - readAt) / 1000]));
  const { ms: estimatedMs, expireMeanwhile } = estimateTime({ sessions, sampled: sample.length, secondsLeft: left });
  return {
    source: context.source.describe(),
    sessions,
    sampled: sample.length,
    signedIn,
    anonymous,
    undecodable,
    neverExpire: sample.length - left.length,
    secondsLeft: histogram(left, TTL_BOUNDS),
    bytes: histogram(
      sample.map(({ value }) => Buffer.byteLength(value)),
      SIZE_BOUNDS,
    ),
    perShard,
    estimatedMs,
    expireMeanwhile,
    clockOffsetMs: context.sourceOffsetMs(),
  };
}

async function sampleSessions(context: MigrationContext): Promise<SourceSession[]> {
  const sample: SourceSession[] = [];
  for (const partition of await context.source.partitions()) {
    let cursor: string | null = null;
    do {
      const page = await context.source.scan(partition, cursor, PAGE, context.pace.signal);
      sample.push(...page.sessions.filter(({ ended }) => !ended));
      cursor = page.next;
    } while (cursor !== null && sample.length < SAMPLE);
  }
  return sample.slice(0, SAMPLE);
}
