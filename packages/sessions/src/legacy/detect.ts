import type { SessionDecoder, Undecodable } from '../source/decoder.ts';
import { AttributeHistogram, type AttributeStatistic } from './attribute-histogram.ts';
import type { SessionFormat } from './format.ts';
import { formatsOf } from './formats.ts';
import { SampledValue } from './sampled-value.ts';

/**
 * What was sampled: session values and, where known, the ids that they lie under (used for nothing but their shape). Values
 * are as any source of the store hands them over, also one that hands over bytes: see `textOfBytes`.
 */
export interface LayoutSample {
  /** `kind` of the source's description. */
  readonly store: string;
  readonly entries: readonly { readonly rawId?: string; readonly value: string }[];
}

/** What a sample says. Holds neither values nor ids. */
export interface LayoutReport {
  /** The name of a format, or `unknown`. */
  readonly layout: string;
  /** The format that fits second best, with how many entries are as it stores them; null: no other takes any of them. */
  readonly runnerUp: { readonly layout: string; readonly matching: number } | null;
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
const LIBRARY_COOKIE = 'connect.sid';

/**
 * Tells which layout a sample has, and which attributes its sessions have. Of formats that fit equally well none is named,
 * unless they store the same values: then it is for the store's keys to tell them apart, and the first one is named.
 */
export function detectLayout(sample: LayoutSample): LayoutReport {
  const values = sample.entries.map(({ value }) => new SampledValue(value));
  // Stable: of equals the one that stands first among the formats stays first.
  const [best, second] = attempts(formatsOf(sample.store), values).toSorted((a, b) => b.matching - a.matching);
  const sampled = values.length;
  const { matching, faults, histogram } = best ?? { matching: 0, faults: {}, histogram: new AttributeHistogram() };
  const fits = best !== undefined && best.typical > 0 && matching >= sampled * MIN_SHARE;
  const undecided = fits && second !== undefined && second.matching === matching && second.format.decoder !== best.format.decoder;
  const runnerUp = second === undefined || second.matching === 0 ? null : { layout: second.format.name, matching: second.matching };
  return {
    layout: fits && !undecided ? best.format.name : 'unknown',
    runnerUp,
    reasons: [...shares(sampled, best), ...runnerUpReasons(sampled, best, second), ...storeReasons(sample), ...idReasons(sample, best)],
    sampled,
    matching,
    faults,
    bytes: sizes(values),
    attributes: histogram.report(),
  };
}

interface Attempt {
  readonly format: SessionFormat;
  matching: number;
  /** Of these, how many show it by themselves. */
  typical: number;
  readonly faults: Partial<Record<Undecodable['reason'], number>>;
  readonly histogram: AttributeHistogram;
}

/**
 * What each format makes of each value. A value that is typical of a format counts for those alone that it is typical of:
 * a format that takes any JSON does not take that of another one.
 */
function attempts(formats: readonly SessionFormat[], values: readonly SampledValue[]): readonly Attempt[] {
  // No mapping is known yet, and none is needed to tell the layout.
  const decoders = formats.map((format) => format.decoder({ identity: { userId: '' } }));
  const found = formats.map((format): Attempt => ({ format, matching: 0, typical: 0, faults: {}, histogram: new AttributeHistogram() }));
  for (const value of values) {
    const readings = found.map((attempt, i) => ({ attempt, ...reading(attempt.format, decoders[i], value) }));
    const claimed = readings.some(({ typical }) => typical);
    for (const { attempt, tree, typical, reason } of readings) {
      if (tree !== undefined && (typical || !claimed)) {
        attempt.matching++;
        attempt.typical += typical ? 1 : 0;
        attempt.histogram.add(tree);
      } else attempt.faults[reason] = (attempt.faults[reason] ?? 0) + 1;
    }
  }
  return found;
}

interface Reading {
  readonly tree?: object;
  readonly typical: boolean;
  /** Why it is none, or would be none if it is another's. */
  readonly reason: Undecodable['reason'];
}

function reading(format: SessionFormat, decode: SessionDecoder | undefined, value: SampledValue): Reading {
  const result = decode?.(value.as(format));
  if (result?.ok !== true) return { typical: false, reason: result?.why.reason ?? 'malformed' };
  const tree = result.session.tree ?? (JSON.parse(result.session.attributes) as object);
  return { tree, typical: format.isTypical?.(tree) ?? true, reason: 'not_a_session' };
}

function shares(sampled: number, best: Attempt | undefined): string[] {
  if (sampled === 0) return ['the sample is empty'];
  if (best === undefined) return [];
  const lines = [`${best.matching} of ${sampled} values are as ${best.format.name} stores them`];
  for (const [reason, count] of Object.entries(best.faults)) lines.push(`${count} of ${sampled} values are not: ${reason}`);
  return lines;
}

function runnerUpReasons(sampled: number, best: Attempt | undefined, second: Attempt | undefined): string[] {
  if (best === undefined || second === undefined || second.matching === 0) return [];
  const { name } = second.format;
  if (second.format.decoder === best.format.decoder) return [`${name} stores the same values; the keys beside them tell which it is`];
  if (second.matching === best.matching) return [`${name} would store all of these just so: nothing in the sample tells the two apart`];
  const why = Object.entries(second.faults).map(([reason, count]) => `${reason} in ${count}`);
  return [`the next best is ${name} with ${second.matching} of ${sampled} values; against it: ${why.join(', ')}`];
}

function storeReasons({ store }: LayoutSample): string[] {
  return formatsOf(store).length === 0 ? [`no layout is known for the store "${store}"`] : [];
}

function idReasons({ entries }: LayoutSample, best: Attempt | undefined): string[] {
  const ids = entries.flatMap(({ rawId }) => (rawId === undefined ? [] : [rawId]));
  if (ids.length === 0 || best?.format.cookieName !== LIBRARY_COOKIE) return [];
  const usual = ids.filter((id) => LIBRARY_ID.test(id)).length;
  return [`${usual} of ${ids.length} ids have the form that express-session makes by itself`];
}

function sizes(values: readonly SampledValue[]): LayoutReport['bytes'] {
  const bytes = values.map(({ length }) => length).toSorted((a, b) => a - b);
  const at = (share: number): number => bytes[Math.min(bytes.length - 1, Math.floor(bytes.length * share))] ?? 0;
  return bytes.length === 0 ? null : { min: at(0), median: at(0.5), p99: at(0.99), max: at(1) };
}
