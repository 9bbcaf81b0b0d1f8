import { randomBytes } from 'node:crypto';
import { PATIENT_MS, openWay, type Severable } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey, type CarriedSessions, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { startProcess, type TestProcess } from '../support/test-process.ts';
import { Hold } from './hold.ts';
import { LIFE_MS, sessionValue } from './session-value.ts';

let bench: Workbench;
let source: SourceStore;
let link: Severable;
let deaf: TestProcess;
let deafSessions: CarriedSessions;
let sessions: CarriedSessions;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  link = await openWay(bench.controlUrl);
  deaf = await startProcess({ bench, role: 'writer', controlUrl: link.url });
  deafSessions = deaf.carried(source);
  const { runtime } = await bench.process('writer');
  sessions = bench.carried(runtime, source);
});
afterAll(async () => {
  await deaf.leave();
  await link[Symbol.asyncDispose]();
  await bench.close();
  await source.close();
});

/** The value that a bearer is shown. */
async function shown(id: string): Promise<unknown> {
  const read = await sessions.read(id);
  expect(read).toMatchObject({ state: 'live', side: 'target' });
  return read.state === 'live' ? (JSON.parse(read.attributes) as { value: unknown }).value : undefined;
}

test('a process that hears nothing neither writes to nor answers from the wrong side', async () => {
  for (const id of ['a', 'b', 'c', 'd', 'e']) expect(await deafSessions.save(id, sessionValue(1, 0), LIFE_MS)).toBe('saved');
  expect(await deafSessions.save('g', sessionValue(2, 0), LIFE_MS)).toBe('saved');
  // Nothing is to change its side before that is asked for, however late this process loses its lease.
  await changeMigration(bench.database(bench.controlUrl), { goalPercent: 0 }, { actor: 'test' });
  const running = await bench.migrator(source, { graceMs: 200 });
  const entered = new Hold('save.entered');
  const held = deaf.carried(source, entered.at).save('e', sessionValue(1, 1), LIFE_MS);
  await entered.reached;
  link.sever();
  await vi.waitFor(() => expect(deaf.runtime.instance.leaseValid).toBe(false));

  // Control is away for it, and nothing has changed: the shard says so, and its fence takes the mirror.
  expect(await deafSessions.read('a')).toMatchObject({ state: 'live', side: 'source' });
  expect(await deafSessions.save('a', sessionValue(1, 1), LIFE_MS)).toBe('saved');
  await expect(deafSessions.end('b', 'logout')).rejects.toMatchObject({ code: 'control_unavailable' });
  expect(await sessions.read('b')).toMatchObject({ state: 'live' });
  // It has not heard that all sessions of user 2 ended; the source does not know it either, the target does.
  await running.context.target.endUser('2', 1, running.context.now());
  expect(await deafSessions.read('g')).toEqual({ state: 'ended' });

  await changeMigration(running.context.control, { goal: 'target', goalPercent: 100 }, { actor: 'test' });
  await running.migrator.atGoal();
  expect(await sessions.save('a', sessionValue(1, 2), LIFE_MS)).toBe('saved');
  expect(deaf.runtime.slots.entry(carriedSessionKey('a').slot).side).toBe('source');

  // Now it is behind: it says that it cannot know, and what it tried is nowhere.
  await expect(deafSessions.read('a')).rejects.toMatchObject({ code: 'control_unavailable' });
  await expect(deafSessions.save('a', sessionValue(1, 3), LIFE_MS)).rejects.toMatchObject({ code: 'control_unavailable' });
  await expect(deafSessions.save('c', sessionValue(1, 3), LIFE_MS)).rejects.toMatchObject({ code: 'control_unavailable' });
  // A shard that fails it instead of refusing it: that the source took the save is nothing to go by either.
  deaf.faults.add({ point: 'session-put', when: 'before' });
  await expect(deafSessions.save('d', sessionValue(1, 3), LIFE_MS)).rejects.toMatchObject({ code: 'control_unavailable' });
  expect([await shown('a'), await shown('c'), await shown('d')]).toEqual([2, 0, 0]);
  // Nor is what the source lacks: this one has only ever lived at the target.
  deaf.faults.clear();
  expect(await sessions.save('f', sessionValue(1, 0), LIFE_MS)).toBe('saved');
  await source.touch('f', 0, (await source.get(['f']))[0]?.version.epoch ?? 0);
  await expect.poll(() => source.get(['f'])).toEqual([undefined]);
  await expect(deafSessions.touch('f', LIFE_MS)).rejects.toMatchObject({ code: 'control_unavailable' });

  link.mend();
  await vi.waitFor(() => expect(deaf.runtime.instance.leaseValid).toBe(true));
  expect(await deafSessions.save('a', sessionValue(1, 4), LIFE_MS)).toBe('saved');
  expect(await shown('a')).toBe(4);
  // The save that was held up all the time goes on under a new lease, and its slot has another primary side now.
  entered.release();
  expect(await held).toBe('saved');
  expect(await shown('e')).toBe(1);
});
