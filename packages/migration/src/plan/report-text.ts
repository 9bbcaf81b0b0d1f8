import type { SourceAnalysis } from '../analysis/analyse-source.ts';
import { percent } from '../analysis/identity-proposal.ts';
import { pathText } from '../analysis/path-text.ts';
import { summary } from './report-html.ts';
import { bins, bytesText, secondsText, type Bar } from './report-svg.ts';
import type { SchemaProposal } from './schema-proposal.ts';

const BAR = 40;
const SHOWN = 20;

/** The report of a plan for a terminal, histograms as bars of blocks. */
export function reportText(analysis: SourceAnalysis, proposal: SchemaProposal): string {
  const { attributes, decoded } = analysis;
  const shares = attributes
    .slice(0, SHOWN)
    .map(({ path, sessions }) => ({ label: pathText(path), value: sessions, text: percent(sessions, decoded) }));
  const more = attributes.length > SHOWN ? [`  and ${attributes.length - SHOWN} rarer ones`] : [];
  return [
    ...aligned([['source', `${analysis.source.kind}, ${analysis.source.location}`], ...summary(analysis)]),
    ...section('why this format', analysis.reasons),
    '',
    'time left to live',
    ...chart(bins(analysis.secondsLeft, secondsText)),
    ...(analysis.neverExpire === 0 ? [] : [`  ${analysis.neverExpire} never expire`]),
    '',
    'size',
    ...chart(bins(analysis.bytes, bytesText)),
    '',
    'attributes, share of the sessions',
    ...chart(shares),
    ...more,
    ...section('who is signed in', analysis.identity.reasons),
    ...section(
      'columns of attributes; everything else stays in JSON',
      proposal.columns.map(({ name, type, reason }) => `${name} ${type.is}: ${reason}`),
    ),
    ...section(
      'indexes',
      proposal.indexes.map(({ name, columns, reason }) => `${name} (${columns.join(', ')}): ${reason}`),
    ),
    ...section(`shards: ${proposal.shards.shards}`, proposal.shards.reasons),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', title, ...(lines.length === 0 ? ['  none'] : lines.map((line) => `  ${line}`))];
}

function chart(bars: readonly Bar[]): string[] {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const width = Math.max(0, ...bars.map(({ label }) => label.length));
  return bars.map(({ label, value, text }) => {
    const filled = value === 0 ? 0 : Math.max(1, Math.round((BAR * value) / most));
    return `  ${label.padEnd(width)}  ${'█'.repeat(filled)}${filled === 0 ? '' : ' '}${text}`;
  });
}

function aligned(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}
