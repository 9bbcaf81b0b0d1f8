import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey, type CarriedSessions, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { LIFE_MS, sessionValue } from './session-value.ts';
import type { WriterOrder } from './writer-order.ts';

const script = fileURLToPath(new URL('writer-child.ts', import.meta.url));
const rawId = randomBytes(18).toString('base64url');
const children: ChildProcess[] = [];
let bench: Workbench;
let source: SourceStore;
let prefix: string;
let sessions: CarriedSessions;

beforeEach(async () => {
  prefix = `fault-${randomBytes(4).toString('hex')}:`;
  bench = await Workbench.create(inject('postgresUrl'));
  source = createRedisSource({ url: inject('redisUrl'), prefix, timeoutMs: PATIENT_MS });
  const { runtime } = await bench.process('gateway');
  sessions = bench.carried(runtime, source);
  for (const [n, id] of [rawId, 'other-1', 'other-2'].entries()) await source.save(id, sessionValue(n, 0), LIFE_MS, 1);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await bench.close();
  await source.close();
});

/** Starts the writer and waits until it has written to the source; its save has the value 1. */
async function startWriter(signal: WriterOrder['signal']): Promise<{ readonly child: ChildProcess; said(): string }> {
  const order: WriterOrder = {
    bench: bench.address,
    redisUrl: inject('redisUrl'),
    prefix,
    rawId,
    value: sessionValue(0, 1),
    lifeMs: LIFE_MS,
    signal,
  };
  const child = spawn(process.execPath, ['--conditions=source', script, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await vi.waitFor(() => expect(output).toContain('written'));
  return { child, said: () => output };
}

/** The value that the session's bearer is shown. */
async function shown(id: string): Promise<number> {
  const read = await sessions.read(id);
  if (read.state !== 'live') throw new Error(`the session is ${read.state}`);
  return (JSON.parse(read.attributes) as { value: number }).value;
}

/** Copies and verifies while the writer lives, before it writes; then the slots change sides. */
async function migrate(percent: number): Promise<Awaited<ReturnType<Workbench['migrator']>>> {
  const running = await bench.migrator(source, { graceMs: 1500 });
  await changeMigration(running.context.control, { goal: 'target', goalPercent: percent }, { actor: 'test' });
  await running.migrator.atGoal();
  return running;
}

async function goOn(running: Awaited<ReturnType<typeof migrate>>): Promise<void> {
  await changeMigration(running.context.control, { goal: 'target', goalPercent: 100 }, { actor: 'test' });
  await running.migrator.atGoal();
}

test('a writer that is killed between source and mirror: a comparison finds what it wrote, before its slot changes sides', async () => {
  const running = await migrate(0);
  const { child } = await startWriter('SIGKILL');
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  const key = carriedSessionKey(rawId);
  const before = await running.context.target.get(key);
  expect(before.state === 'live' && (JSON.parse(before.record.attributes) as { value: number }).value).toBe(0);
  await goOn(running);
  expect(await shown(rawId)).toBe(1);
  const { rows } = await running.context.control.query('SELECT class, repaired FROM migration_difference WHERE id = $1', [key.id]);
  expect(rows).toEqual([{ class: 'differs', repaired: true }]);
});

test('a writer that sleeps through the switch of its slot does its save again where it counts now', async () => {
  const running = await migrate(0);
  const { child, said } = await startWriter('SIGSTOP');
  await goOn(running);
  // It slept with its save at the source alone, which the comparison found; then somebody else saved.
  expect(await shown(rawId)).toBe(1);
  expect(await sessions.save(rawId, sessionValue(0, 2), LIFE_MS)).toBe('saved');
  expect(said()).toBe('written\n');
  child.kill('SIGCONT');
  await vi.waitFor(() => expect(said()).toBe('written\nsaved\n'));
  expect(await shown(rawId)).toBe(1);
  expect(await shown('other-1')).toBe(0);
  await vi.waitFor(async () => expect(JSON.parse((await source.get([rawId]))[0]?.value ?? '{}')).toMatchObject({ value: 1 }));
});
