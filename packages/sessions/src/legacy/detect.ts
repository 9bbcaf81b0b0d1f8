import type { Undecodable } from '../source/decoder.ts';
import { AttributeHistogram, type AttributeStatistic } from './attribute-histogram.ts';
import { expressJsonDecoder } from './express-json.ts';

/** Layouts that can be carried. */
type Layout = 'connect-redis' | 'connect-dynamodb';

/** What was sampled: session values and, where known, the ids that they lie under (used for nothing but their shape). */
export interface LayoutSample {
  /** `kind` of the source's description. */
  readonly store: string;
  readonly entries: readonly { readonly rawId?: string; readonly value: string }[];
}

/** What a sample says. Holds neither values nor ids. */
export interface LayoutReport {
  readonly layout: Layout | 'unknown';
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

const LAYOUTS: Readonly<Record<string, Layout>> = { redis: 'connect-redis', dynamodb: 'connect-dynamodb' };
/** A layout is named when this share of the sample has it; the rest becomes dead letters that a person decides about. */
const MIN_SHARE = 0.9;
/** No mapping is known yet, and none is needed to tell the layout. */
const decode = expressJsonDecoder({ identity: { userId: '' } });
/** `uid-safe` makes ids of 24 bytes in base64url; applications may make their own. */
const LIBRARY_ID = /^[A-Za-z0-9_-]{32}$/;

/** Tells which layout a sample has, and which attributes its sessions have. */
export function detectLayout(sample: LayoutSample): LayoutReport {
  const histogram = new AttributeHistogram();
  const faults: Partial<Record<Undecodable['reason'], number>> = {};
  let matching = 0;
  for (const { value } of sample.entries) {
    const result = decode(value);
    if (result.ok) {
      matching++;
      histogram.add(JSON.parse(value) as object);
    } else {
      faults[result.why.reason] = (faults[result.why.reason] ?? 0) + 1;
    }
  }
  const sampled = sample.entries.length;
  const layout = sampled > 0 && matching >= sampled * MIN_SHARE ? (LAYOUTS[sample.store] ?? 'unknown') : 'unknown';
  const reasons = [...shares(sampled, matching, faults), ...storeReasons(sample), ...idReasons(sample)];
  return { layout, reasons, sampled, matching, faults, bytes: sizes(sample), attributes: histogram.report() };
}

function shares(sampled: number, matching: number, faults: LayoutReport['faults']): string[] {
  if (sampled === 0) return ['the sample is empty'];
  const lines = [`${matching} of ${sampled} values are JSON objects with a "cookie", as express-session stores them`];
  for (const [reason, count] of Object.entries(faults)) lines.push(`${count} of ${sampled} values are not: ${reason}`);
  return lines;
}

function storeReasons({ store }: LayoutSample): string[] {
  return LAYOUTS[store] === undefined ? [`no layout is known for the store "${store}"`] : [];
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
