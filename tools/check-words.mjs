// Prevents: what works on one machine only, and what was meant to be finished before the commit.
import { readFileSync } from 'node:fs';
import { filesOf, report } from './workspaces.mjs';

const TEXT = /\.(ts|tsx|mts|mjs|js|json|jsonc|sql|md|sh|yaml|yml|html|css)$|(^|\/)(run|\.npmrc|\.editorconfig)$/;

/** Pattern, which files, and what the line says. */
const RULES = [
  [/(?<![\w.:/-])\/(?:work|root|home|Users)\/\w/, /./, 'a path of one machine'],
  [/\b[A-Z]:\\Users\\/, /./, 'a path of one machine'],
  // This file has to name them.
  [/\b(?:TODO|FIXME|XXX|HACK|WIP)\b/, /(?<!package-lock\.json|check-words\.mjs)$/, 'a marker of unfinished work'],
  [/"resolved": "https?:/, /package-lock\.json$/, 'a download address: the registry of one machine'],
  [
    /\b(?:describe|it|test|suite|bench)(?:\.\w+)*\.(?:only|skip|todo)\b/,
    /\.test(-d)?\.ts$|\/testing\//,
    'a test that hides itself or others',
  ],
];

const faults = [];
const files = filesOf('{*,.ci/**,**/*}').filter((file) => TEXT.test(file) && !/(^|\/)LICENSE$/.test(file));
for (const file of files) {
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    for (const [pattern, where, what] of RULES) {
      if (where.test(file) && pattern.test(line)) faults.push(`${file}:${index + 1}: ${what}: ${line.trim().slice(0, 100)}`);
    }
  }
}
report('check-words', faults, `${files.length} files`);
