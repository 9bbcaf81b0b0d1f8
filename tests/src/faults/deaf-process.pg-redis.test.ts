import { randomBytes } from 'node:crypto';
import '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey, type CarriedSessions, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { openLink, type SeverableLink } from '../support/severable.ts';
import { startProcess, type TestProcess } from '../support/test-process.ts';
import { LIFE_MS, sessionValue } from './session-value.ts';

let bench: Workbench;
let source: SourceStore;
let link: SeverableLink;
let deaf: TestProcess;
let deafSessions: CarriedSessions;
let sessions: CarriedSessions;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:` });
  link = await openLink(bench.controlUrl);
  deaf = await startProcess({ bench, role: 'writer', controlUrl: link.url });
  deafSessions = deaf.carried(source);
  const { runtime } = await bench.process('writer');
  sessions = bench.carried(runtime, source);
});
afterAll(async () => {
  await deaf.leave();
  await link.close();
  await bench.close();
  await source.close();
});

test('a process that hears nothing neither writes to nor answers from the wrong side', async () => {
  for (const id of ['a', 'b', 'c']) expect(await deafSessions.save(id, sessionValue(1, 0), LIFE_MS)).toBe('saved');
  const running = await bench.migrator(source, { graceMs: 200 });
  link.sever();
  await vi.waitFor(() => expect(deaf.runtime.instance.leaseValid).toBe(false), { timeout: 10_000 });

  // Control is away for it, and nothing has changed: the shard says so, and its fence takes the mirror.
  expect(await deafSessions.read('a')).toMatchObject({ state: 'live', side: 'source' });
  expect(await deafSessions.save('a', sessionValue(1, 1), LIFE_MS)).toBe('saved');
  await expect(deafSessions.end('b', 'logout')).rejects.toMatchObject({ code: 'control_unavailable' });
  expect(await sessions.read('b')).toMatchObject({ state: 'live' });

  await changeMigration(running.context.control, { goal: 'target', goalPercent: 100 }, { actor: 'test' });
  await running.migrator.atGoal();
  expect(await sessions.save('a', sessionValue(1, 2), LIFE_MS)).toBe('saved');
  expect(deaf.runtime.slots.entry(carriedSessionKey('a').slot).side).toBe('source');

  // Now it is behind: it says that it cannot know, and what it tried is nowhere.
  await expect(deafSessions.read('a')).rejects.toMatchObject({ code: 'control_unavailable' });
  await expect(deafSessions.save('a', sessionValue(1, 3), LIFE_MS)).rejects.toMatchObject({ code: 'control_unavailable' });
  await expect(deafSessions.save('c', sessionValue(1, 3), LIFE_MS)).rejects.toMatchObject({ code: 'control_unavailable' });
  for (const [id, value] of [
    ['a', 2],
    ['c', 0],
  ] as const) {
    const read = await sessions.read(id);
    expect(read).toMatchObject({ state: 'live', side: 'target' });
    expect(JSON.parse(read.state === 'live' ? read.attributes : '{}')).toMatchObject({ value });
  }

  link.mend();
  await vi.waitFor(() => expect(deaf.runtime.instance.leaseValid).toBe(true), { timeout: 10_000 });
  expect(await deafSessions.save('a', sessionValue(1, 4), LIFE_MS)).toBe('saved');
  const read = await sessions.read('a');
  expect(JSON.parse(read.state === 'live' ? read.attributes : '{}')).toMatchObject({ value: 4 });
}, 90_000);
