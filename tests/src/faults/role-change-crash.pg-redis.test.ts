import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { Workbench } from '@wherry/migration/testing';
import type { CarriedSessions, CarriedStep, SessionRuntime, SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { roleValue, taken, tokenOf } from './role-tokens.ts';
import { LIFE_MS } from './session-value.ts';
import type { WriterOrder } from './writer-order.ts';

const script = fileURLToPath(new URL('writer-child.ts', import.meta.url));
const prefix = `fault-${randomBytes(4).toString('hex')}:`;
let bench: Workbench;
let source: SourceStore;
let runtime: SessionRuntime;
let sessions: CarriedSessions;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  source = createRedisSource({ url: inject('redisUrl'), prefix, timeoutMs: PATIENT_MS });
  ({ runtime } = await bench.process('auth'));
  sessions = bench.carried(runtime, source);
});
afterAll(async () => {
  await bench.close();
  await source.close();
});

/** A process that takes ADMIN from the session and is killed at a step of that. */
async function killedAt(step: CarriedStep, rawId: string): Promise<void> {
  const order: WriterOrder = {
    bench: bench.address,
    redisUrl: inject('redisUrl'),
    prefix,
    rawId,
    value: roleValue(1, ['USER']),
    lifeMs: LIFE_MS,
    signal: 'SIGKILL',
    step,
  };
  const child = spawn(process.execPath, ['--conditions=source', script, JSON.stringify(order)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
}

/** As if the ten seconds were over that a change may take. */
async function sweepLater(): Promise<void> {
  await runtime.revocations.sweep();
  await runtime.control.query('UPDATE session_change SET since = since - 20000');
  await runtime.revocations.sweep();
  expect((await runtime.control.query('SELECT FROM session_change')).rowCount).toBe(0);
}

test('who dies before he writes has ended tokens for nothing, and the session gives new ones of what it still says', async () => {
  await sessions.save('before', roleValue(1, ['USER', 'ADMIN']), LIFE_MS);
  const old = await tokenOf(sessions, 'before');
  await killedAt('save.change-begun', 'before');
  await vi.waitFor(() => expect(taken(runtime, old)).toBe(false));
  const next = await tokenOf(sessions, 'before');
  expect([next.roles, taken(runtime, next)]).toEqual([['USER', 'ADMIN'], true]);
  await sweepLater();
  const last = await tokenOf(sessions, 'before');
  expect([last.roles, taken(runtime, next), taken(runtime, last)]).toEqual([['USER', 'ADMIN'], false, true]);
  // Whoever makes the change after all finds it as it was.
  expect(await sessions.save('before', roleValue(1, ['USER']), LIFE_MS)).toBe('saved');
  expect(taken(runtime, last)).toBe(false);
});

test('who dies after he has written has ended all tokens of before, but those of the moment, which the sweeper ends', async () => {
  await sessions.save('after', roleValue(1, ['USER', 'ADMIN']), LIFE_MS);
  const old = await tokenOf(sessions, 'after');
  // The first write is refused and told of; the one that counts comes after the bound.
  let between: Awaited<ReturnType<typeof tokenOf>> | undefined;
  const reader = bench.carried(runtime, source, async (step) => {
    if (step === 'save.change-begun') between = await tokenOf(sessions, 'after');
    if (step === 'save.source-written' && between !== undefined) throw new Error('this process is no more');
  });
  await expect(reader.save('after', roleValue(1, ['USER']), LIFE_MS)).rejects.toThrow('no more');
  const moment = between ?? old;
  expect([moment.roles, taken(runtime, old), taken(runtime, moment)]).toEqual([['USER', 'ADMIN'], false, true]);
  await sweepLater();
  expect(taken(runtime, moment)).toBe(false);
  const next = await tokenOf(sessions, 'after');
  expect([next.roles, taken(runtime, next)]).toEqual([['USER'], true]);
});

test('who is killed after the write has left the line by which the sweeper knows', async () => {
  await sessions.save('killed', roleValue(1, ['USER', 'ADMIN']), LIFE_MS);
  const old = await tokenOf(sessions, 'killed');
  await killedAt('save.target-written', 'killed');
  await vi.waitFor(() => expect(taken(runtime, old)).toBe(false));
  const bound = runtime.ended.sessionTokensNotBefore(old.sid);
  expect((await runtime.control.query('SELECT FROM session_change WHERE sid = $1', [old.sid])).rowCount).toBe(1);
  await sweepLater();
  expect(runtime.ended.sessionTokensNotBefore(old.sid)).toBeGreaterThan(bound);
  const next = await tokenOf(sessions, 'killed');
  expect([next.roles, taken(runtime, next)]).toEqual([['USER'], true]);
});
