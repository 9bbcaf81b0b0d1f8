// Prevents: a run that looks green because nobody counted. Prints `N passed, N failed` from the test runner's report;
// exit 1 where something failed or nothing ran.
import { existsSync, readFileSync } from 'node:fs';

const file = process.argv[2] ?? '.wherry/test-report.json';
if (!existsSync(file)) {
  console.log('0 passed, 1 failed');
  process.exit(1);
}
const { numPassedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
const failedTests = testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed')).length;
// A file that cannot be loaded has no tests to fail; it counts as one.
const brokenFiles = testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
const failed = failedTests + brokenFiles;
const skipped = numPendingTests + numTodoTests;
console.log(`${numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed > 0 || numPassedTests === 0 ? 1 : 0);
