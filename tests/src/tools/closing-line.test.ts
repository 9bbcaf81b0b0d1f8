import { expect, test } from 'vitest';
import { cleanWorkspace, type Verdict } from './workspace.ts';

const lineFor = (report: object): Verdict => {
  using workspace = cleanWorkspace();
  workspace.write('report.json', JSON.stringify(report));
  return workspace.run('closing-line.mjs', 'report.json');
};
const counts = { numPassedTests: 3, numPendingTests: 0, numTodoTests: 0 };
const passed = { status: 'passed', assertionResults: [{ status: 'passed' }] };

test('the closing line counts what passed', () => {
  expect(lineFor({ ...counts, testResults: [passed] })).toEqual({ passed: true, output: '3 passed, 0 failed\n' });
});

test('it tells of skipped tests only where there are some', () => {
  expect(lineFor({ ...counts, numPendingTests: 2, testResults: [passed] }).output).toBe('3 passed, 0 failed, 2 skipped\n');
});

test('a failed test fails the run', () => {
  const failed = { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] };
  expect(lineFor({ ...counts, testResults: [passed, failed] })).toEqual({ passed: false, output: '3 passed, 1 failed\n' });
});

test('a file that cannot be loaded has no failed test and fails the run all the same', () => {
  const broken = { status: 'failed', assertionResults: [] };
  expect(lineFor({ ...counts, testResults: [passed, broken] })).toEqual({ passed: false, output: '3 passed, 1 failed\n' });
});

test('a run in which nothing ran has failed, with or without a report', () => {
  expect(lineFor({ ...counts, numPassedTests: 0, testResults: [] }).passed).toBe(false);
  using workspace = cleanWorkspace();
  expect(workspace.run('closing-line.mjs', 'missing.json')).toEqual({ passed: false, output: '0 passed, 1 failed\n' });
});
