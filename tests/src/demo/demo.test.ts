import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/*
 * The demonstration itself, small: every process, every step, the ledger that shares no code with the engine, and the
 * closing lines that people are promised.
 */
const main = fileURLToPath(new URL('../../../apps/wherry/src/main.ts', import.meta.url));

test('carries sessions across, back and across again under load, then clients through all phases, and ends with flawless lines', async () => {
  const { code, output } = await run(['demo', '--exit', '--sessions', '600', '--users', '60', '--seed', '7']);
  expect(output).toMatch(/^carried \d+, lost 0, resurrected 0, signed out 0, authorities changed 0, rollbacks 1$/m);
  expect(Number(/^carried (\d+)/m.exec(output)?.[1])).toBeGreaterThan(500);
  expect(output).toMatch(/^phases 6, guardrail rollbacks 1, stateful requests after retire 0$/m);
  expect(output).toContain('401 rate of the cohort less the control');
  expect(output).toContain('the step into retired is refused: it is not proved');
  expect(code).toBe(0);
}, 1_200_000);

test('refuses what it cannot do in one line', async () => {
  const few = await run(['demo', '--sessions', '5', '--users', '10']);
  expect(few).toMatchObject({ code: 2, output: expect.stringContaining('--sessions is 5') });
  const source = await run(['demo', '--source', 'mongodb://127.0.0.1/x']);
  expect(source).toMatchObject({ code: 2, output: expect.stringContaining('redis://host:port') });
});

function run(words: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--conditions=source', main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    child.once('close', (code) => resolve({ code, output }));
  });
}
