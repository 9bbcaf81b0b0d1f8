import { randomBytes } from 'node:crypto';
import { detectLayout, type SessionFormat, type SourceDescription, type SourceStore, type Undecodable } from '@wherry/sessions';
import { AttributeProfiles, type AttributeProfile } from './attribute-profiles.ts';
import { SIZE_BOUNDS, TTL_BOUNDS, histogram, type HistogramBin } from './histogram.ts';
import { identityOfFormat, proposeIdentity, type IdentityProposal } from './identity-proposal.ts';
import { sampleSource, type SampleBounds } from './sample-source.ts';
import { estimateTime, type TimeEstimate } from './time-estimate.ts';

/** What a sample says of a source. Holds names of attributes, never values and never ids. */
export interface SourceAnalysis {
  readonly source: SourceDescription;
  /** The name of a format, or `unknown`; and why. */
  readonly layout: string;
  readonly reasons: readonly string[];
  /** About how many sessions there are. */
  readonly sessions: number;
  readonly sampled: number;
  readonly partitions: number;
  /** True when every session was looked at. */
  readonly complete: boolean;
  /** Of the sample, by reason. */
  readonly undecodable: Readonly<Partial<Record<Undecodable['reason'], number>>>;
  readonly decoded: number;
  readonly neverExpire: number;
  /** Seconds left to live, of the sample. */
  readonly secondsLeft: readonly HistogramBin[];
  /** Bytes of the stored text, of the sample. */
  readonly bytes: readonly HistogramBin[];
  readonly meanBytes: number;
  /** Sessions used within the last minute, a second, of the whole source; null where idle times are not known. */
  readonly usesPerSecond: number | null;
  readonly attributes: readonly AttributeProfile[];
  readonly identity: IdentityProposal;
  readonly time: TimeEstimate;
  /** This machine's clock less the source's, ms. */
  readonly clockOffsetMs: number;
}

/** Options of {@link analyseSource}. */
export interface AnalysisOptions extends SampleBounds {
  /** The format that the source seems to have: it decodes the sample. */
  readonly format: SessionFormat;
  /** Sessions a second of copy and comparison, where it is bounded. */
  readonly rate?: number;
}

const JUST_NOW_MS = 60_000;
/** A format is named when this share of the sample has it; the rest becomes dead letters that a person decides about. */
const MIN_SHARE = 0.9;

/** Samples a source and tells what lies in it. Reads only. Errors: as `SourceStore.scan`. */
export async function analyseSource(source: SourceStore, options: AnalysisOptions): Promise<SourceAnalysis> {
  const before = Date.now();
  const sourceNow = await source.now();
  const clockOffsetMs = Math.round((before + Date.now()) / 2 - sourceNow);
  const counted = await source.count();
  const sample = await sampleSource(source, options);
  const sessions = sample.complete ? sample.sessions.length : Math.max(counted, sample.sessions.length);
  const sampled = sample.sessions.length;
  const detected = detectLayout({ store: source.describe().kind, entries: sample.sessions });
  const { format } = options;
  const decode = format.decoder({ identity: { userId: '' } });
  const profiles = new AttributeProfiles(randomBytes(16).toString('hex'));
  const undecodable: Partial<Record<Undecodable['reason'], number>> = {};
  let usedJustNow: number | null = null;
  for (const { value, expireTime, readAt } of sample.sessions) {
    const decoding = decode(value);
    if (!decoding.ok) {
      undecodable[decoding.why.reason] = (undecodable[decoding.why.reason] ?? 0) + 1;
      continue;
    }
    const { idleMs, tree, attributes } = decoding.session;
    profiles.add(tree ?? (JSON.parse(attributes) as object));
    if (idleMs === null || expireTime === null) continue;
    const untouched = idleMs - (expireTime - readAt);
    usedJustNow = (usedJustNow ?? 0) + (untouched <= Math.min(JUST_NOW_MS, idleMs) ? 1 : 0);
  }
  const left = sample.sessions.flatMap(({ expireTime, readAt }) => (expireTime === null ? [] : [(expireTime - readAt) / 1000]));
  const sizes = sample.sessions.map(({ value }) => Buffer.byteLength(value));
  const attributes = profiles.report();
  return {
    source: source.describe(),
    layout: sampled > 0 && profiles.sessions >= sampled * MIN_SHARE ? format.name : 'unknown',
    reasons:
      detected.layout === format.name
        ? detected.reasons
        : [`${profiles.sessions} of ${sampled} values are as ${format.name} stores them`, ...detected.reasons],
    sessions,
    sampled,
    partitions: sample.partitions,
    complete: sample.complete,
    undecodable,
    decoded: profiles.sessions,
    neverExpire: sampled - left.length,
    secondsLeft: histogram(left, TTL_BOUNDS),
    bytes: histogram(sizes, SIZE_BOUNDS),
    meanBytes: Math.round(sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, sampled)),
    usesPerSecond: usedJustNow === null ? null : ((usedJustNow / Math.max(1, sampled)) * sessions) / (JUST_NOW_MS / 1000),
    attributes,
    identity:
      format.identity === undefined ? proposeIdentity(attributes, profiles.sessions) : identityOfFormat(format.name, format.identity),
    time: estimateTime({ sessions, sampled, secondsLeft: left, ...(options.rate === undefined ? {} : { rate: options.rate }) }),
    clockOffsetMs,
  };
}
