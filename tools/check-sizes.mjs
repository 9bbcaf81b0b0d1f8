// Prevents: a file that has come to hold more than one concept. Source at most 350 lines, tests 600.
import { readFileSync } from 'node:fs';
import { filesOf, report } from './workspaces.mjs';

const LIMIT = 350;
const TEST_LIMIT = 600;

const sizes = filesOf('**/*.{ts,tsx,mts,mjs,js,sql}').map((file) => {
  const test = /\.test(-d)?\.[a-z]+$/.test(file);
  return { file, test, lines: readFileSync(file, 'utf8').split('\n').length - 1 };
});
const faults = sizes
  .filter(({ test, lines }) => lines > (test ? TEST_LIMIT : LIMIT))
  .map(({ file, test, lines }) => `${file}: ${lines} lines, at most ${test ? TEST_LIMIT : LIMIT}`);
const sources = sizes.flatMap(({ test, lines }) => (test ? [] : [lines])).toSorted((a, b) => a - b);
report('check-sizes', faults, `${sizes.length} files, source median ${sources[sources.length >> 1] ?? 0} lines`);
