import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/*
 * A short soak: every process and server of the system, a few faults of a seed under live traffic, a way to the target and
 * back, and the judgement of a ledger that shares no code with the engine. Redis is one of its own, so that it can go down.
 */
const main = fileURLToPath(new URL('../../../apps/wherry/src/main.ts', import.meta.url));

test('users notice nothing for good while processes and servers fail under them', async () => {
  const { code, output } = await run(['soak', '--minutes', '0.2', '--seed', '5', '--sessions', '150', '--users', '12']);
  expect(output).toMatch(/^carried \d+, lost 0, resurrected 0, signed out 0, authorities changed 0, rollbacks [1-9]\d*$/m);
  expect(Number(/^carried (\d+)/m.exec(output)?.[1])).toBeGreaterThan(100);
  expect(Number(/^faults survived: (\d+)/m.exec(output)?.[1])).toBeGreaterThan(1);
  expect(code).toBe(0);
}, 1_800_000);

test('refuses what it cannot do in one line', async () => {
  expect(await run(['soak', '--sessions', '5', '--users', '10'])).toMatchObject({
    code: 2,
    output: expect.stringContaining('--sessions is 5'),
  });
  expect(await run(['soak', '--minutes', 'long'])).toMatchObject({ code: 2, output: expect.stringContaining('Allowed is 0.01') });
});

function run(words: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--conditions=source', main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    child.once('close', (code) => resolve({ code, output }));
  });
}
