import type { Undecodable } from '../source/decoder.ts';
import { AttributeHistogram, type AttributeStatistic } from './attribute-histogram.ts';
import type { SessionFormat } from './format.ts';
import { formatsOf } from './formats.ts';

/** What was sampled: session values and, where known, the ids that they lie under (used for nothing but their shape). */
export interface LayoutSample {
  /** `kind` of the source's description. */
  readonly store: string;
  readonly entries: readonly { readonly rawId?: string; readonly value: string }[];
}

/** What a sample says. Holds neither values nor ids. */
export interface LayoutReport {
  /** The name of a format, or `unknown`. */
  readonly layout: string;
  /** Why, in words for people. */
  readonly reasons: readonly string[];
  readonly sampled: number;
  /** How many entries have the layout. */
  readonly matching: number;
  /** How many do not, by reason. */
  readonly faults: Readonly<Partial<Record<Undecodable['reason'], number>>>;
  /** Sizes of the values in bytes; null for an empty sample. */
  readonly bytes: { readonly min: number; readonly median: number; readonly p99: number; readonly max: number } | null;
  readonly attributes: readonly AttributeStatistic[];
}

/** A layout is named when this share of the sample has it; the rest becomes dead letters that a person decides about. */
const MIN_SHARE = 0.9;
/** `uid-safe` makes ids of 24 bytes in base64url; applications may make their own. */
const LIBRARY_ID = /^[A-Za-z0-9_-]{32}$/;

/** Tells which layout a sample has, and which attributes its sessions have. */
export function detectLayout(sample: LayoutSample): LayoutReport {
  const found = formatsOf(sample.store).map((format) => attempt(format, sample));
  const [first] = found;
  const best = found.reduce((a, b) => (b.matching > (a?.matching ?? -1) ? b : a), first);
  const sampled = sample.entries.length;
  const { matching, faults, histogram } = best ?? { matching: 0, faults: {}, histogram: new AttributeHistogram() };
  const layout = best !== undefined && sampled > 0 && matching >= sampled * MIN_SHARE ? best.format.name : 'unknown';
  const reasons = [...shares(sampled, best), ...storeReasons(sample), ...idReasons(sample)];
  return { layout, reasons, sampled, matching, faults, bytes: sizes(sample), attributes: histogram.report() };
}

interface Attempt {
  readonly format: SessionFormat;
  readonly matching: number;
  readonly faults: LayoutReport['faults'];
  readonly histogram: AttributeHistogram;
}

function attempt(format: SessionFormat, { entries }: LayoutSample): Attempt {
  // No mapping is known yet, and none is needed to tell the layout.
  const decode = format.decoder({ identity: { userId: '' } });
  const histogram = new AttributeHistogram();
  const faults: Partial<Record<Undecodable['reason'], number>> = {};
  let matching = 0;
  for (const { value } of entries) {
    const result = decode(value);
    if (result.ok) {
      matching++;
      histogram.add(JSON.parse(result.session.attributes) as object);
    } else {
      faults[result.why.reason] = (faults[result.why.reason] ?? 0) + 1;
    }
  }
  return { format, matching, faults, histogram };
}

function shares(sampled: number, best: Attempt | undefined): string[] {
  if (sampled === 0) return ['the sample is empty'];
  if (best === undefined) return [];
  const lines = [`${best.matching} of ${sampled} values are as ${best.format.name} stores them`];
  for (const [reason, count] of Object.entries(best.faults)) lines.push(`${count} of ${sampled} values are not: ${reason}`);
  return lines;
}

function storeReasons({ store }: LayoutSample): string[] {
  return formatsOf(store).length === 0 ? [`no layout is known for the store "${store}"`] : [];
}

function idReasons({ entries }: LayoutSample): string[] {
  const ids = entries.flatMap(({ rawId }) => (rawId === undefined ? [] : [rawId]));
  if (ids.length === 0) return [];
  const usual = ids.filter((id) => LIBRARY_ID.test(id)).length;
  return [`${usual} of ${ids.length} ids have the form that express-session makes by itself`];
}

function sizes({ entries }: LayoutSample): LayoutReport['bytes'] {
  const bytes = entries.map(({ value }) => Buffer.byteLength(value)).toSorted((a, b) => a - b);
  const at = (share: number): number => bytes[Math.min(bytes.length - 1, Math.floor(bytes.length * share))] ?? 0;
  return bytes.length === 0 ? null : { min: at(0), median: at(0.5), p99: at(0.99), max: at(1) };
}
