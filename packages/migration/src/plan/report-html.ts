import type { SourceAnalysis } from '../analysis/analyse-source.ts';
import type { AttributeProfile } from '../analysis/attribute-profiles.ts';
import { percent } from '../analysis/identity-proposal.ts';
import { pathText } from '../analysis/path-text.ts';
import { barChart, bins, bytesText, escapeHtml, secondsText } from './report-svg.ts';
import type { SchemaProposal } from './schema-proposal.ts';
import { SESSION_COLUMNS } from './session-columns.ts';

const CHARTED = 40;

/** The page loads nothing, and a browser would refuse it if it tried. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";
const STYLE = `:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#d5d9de;--bar:#2f6f9f;--soft:#57606a}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--paper:#14171b;--line:#3a4048;--bar:#6cb0e0;--soft:#9aa4af}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:980px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}td:first-child{overflow-wrap:anywhere;min-width:9rem}
svg{max-width:100%;height:auto}.bar{fill:var(--bar)}.text{fill:var(--ink);font:12px system-ui,sans-serif}.soft{color:var(--soft)}`;

/** The report of a plan as one page: no script, nothing loaded, names of attributes and counts only. */
export function reportHtml(analysis: SourceAnalysis, proposal: SchemaProposal): string {
  const { source, attributes, decoded } = analysis;
  const charted = attributes.slice(0, CHARTED);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Migration plan</title><style>${STYLE}</style></head><body>
<h1>Migration plan</h1>
<p>${escapeHtml(source.kind)} at ${escapeHtml(source.location)}. No value and no id of a session stands on this page.</p>
${table(['', ''], summary(analysis))}
<h2>Why this format</h2>${list(analysis.reasons)}
<h2>Time left to live</h2>${barChart('time left to live', bins(analysis.secondsLeft, secondsText))}
<p class="soft">${analysis.neverExpire} of the sample never expire.</p>
<h2>Size of a session</h2>${barChart('size', bins(analysis.bytes, bytesText))}
<h2>Attributes</h2>${barChart(
    'attributes',
    charted.map((profile) => attributeBar(profile, decoded)),
  )}
<p class="soft">Share of the sessions. ${attributes.length > CHARTED ? `${attributes.length - CHARTED} rarer ones are not drawn.` : ''} * stands for names that look like data.</p>
<h2>Who is signed in</h2>${list(analysis.identity.reasons)}
<h2>Columns of every session</h2>${table(
    ['column', 'PostgreSQL', 'MySQL', 'why'],
    SESSION_COLUMNS.map(({ name, postgresql, mysql, reason }) => [name, postgresql, mysql, reason]),
  )}
<h2>Columns of attributes</h2>${table(
    ['column', 'attribute', 'type', 'why'],
    proposal.columns.map(({ name, profile, type, reason }) => [name, pathText(profile.path), type.is, reason]),
  )}
<h2>Attributes that stay in JSON</h2>${table(
    ['attribute', 'why'],
    proposal.refusedColumns.map(({ profile, reason }) => [pathText(profile.path), reason]),
  )}
<h2>Indexes</h2>${table(
    ['index', 'on', 'why'],
    proposal.indexes.map(({ name, columns, reason }) => [name, columns.join(', '), reason]),
  )}
<h2>No index</h2>${table(
    ['column', 'why'],
    proposal.refusedIndexes.map(({ column, reason }) => [column, reason]),
  )}
<h2>Shards: ${proposal.shards.shards}</h2>${list(proposal.shards.reasons)}
</body></html>
`;
}

/** The figures of a plan, as pairs of words. */
export function summary(analysis: SourceAnalysis): [string, string][] {
  const { layout, sessions, sampled, partitions, complete, decoded, undecodable, time, clockOffsetMs, usesPerSecond } = analysis;
  const faults = Object.entries(undecodable);
  return [
    ['format', layout],
    ['sessions', `${complete ? '' : 'about '}${number(sessions)}`],
    [
      'sampled',
      `${number(sampled)}${complete ? ', all there are' : ''}, over ${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`,
    ],
    [
      'decoded',
      `${number(decoded)}${faults.length === 0 ? '' : `; not: ${faults.map(([reason, count]) => `${count} ${reason}`).join(', ')}`}`,
    ],
    ['mean size', `${number(analysis.meanBytes)} bytes`],
    ['in use', usesPerSecond === null ? 'not known' : `about ${number(Math.round(usesPerSecond))} sessions a second`],
    [
      'copy and two comparisons',
      `about ${number(Math.ceil(time.ms / 1000))} s at ${number(time.rate)} sessions/s; about ${number(time.expireMeanwhile)} run out by themselves meanwhile`,
    ],
    ['clock of this machine less the source', `${clockOffsetMs} ms`],
  ];
}

function attributeBar(profile: AttributeProfile, decoded: number): { label: string; value: number; text: string } {
  const { kinds, sessions } = profile;
  const seen = Object.entries(kinds).flatMap(([kind, count]) => (count > 0 ? [kind] : []));
  return { label: shortened(pathText(profile.path)), value: sessions, text: `${percent(sessions, decoded)} ${seen.join(', ')}` };
}

function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length > 34 ? `${characters.slice(0, 33).join('')}…` : text;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '<p class="soft">None.</p>';
  const header = head.every((cell) => cell === '') ? '' : `<tr>${head.map((cell) => `<th>${escapeHtml(cell)}</th>`).join('')}</tr>`;
  return `<table>${header}${rows.map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`).join('\n')}</table>`;
}

function list(lines: readonly string[]): string {
  return `<ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
