import { randomBytes } from 'node:crypto';
import { carriedSessionKey } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import '@wherry/embedded/testing';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { changeMigration } from './journal/state.ts';
import { Workbench } from './testing/workbench.ts';

const prefix = `t${randomBytes(4).toString('hex')}:`;
const client = createClient({ url: inject('redisUrl') });
let bench: Workbench;

beforeAll(async () => {
  await client.connect();
  bench = await Workbench.create(inject('postgresUrl'));
});
afterAll(async () => {
  await bench.close();
  client.destroy();
});

function session(n: number): string {
  return JSON.stringify({
    cookie: { originalMaxAge: 3_600_000, httpOnly: true, path: '/' },
    user: { id: n, name: `user${n}`, roles: ['user', `r${n % 7}`] },
  });
}

test('a whole migration: copy, verify, switch, half-way back, forward again', async () => {
  for (let n = 0; n < 500; n++) await client.set(`${prefix}sid-${n}`, session(n), { expiration: { type: 'EX', value: 3600 } });
  const source = createRedisSource({ client, prefix });
  const notes: string[] = [];
  const running = await bench.migrator(source, { progress: { progress: () => undefined, note: (text) => notes.push(text) } });
  const control = running.context.control;
  await changeMigration(control, { goalPercent: 40 }, { actor: 'test' });
  await running.migrator.atGoal();
  const { runtime } = await bench.process('gateway');
  const carried = bench.carried(runtime, source);
  const sides = new Map<string, number>();
  for (let n = 0; n < 500; n++) {
    const read = await carried.read(`sid-${n}`);
    expect(read).toMatchObject({ state: 'live', userId: String(n), authorities: ['user', `r${n % 7}`] });
    if (read.state === 'live') sides.set(read.side, (sides.get(read.side) ?? 0) + 1);
  }
  expect(sides.get('target')).toBeGreaterThan(120);
  expect(sides.get('source')).toBeGreaterThan(220);
  await changeMigration(control, { goal: 'source', goalPercent: 100 }, { actor: 'test' });
  await running.migrator.atGoal();
  await runtime.slots.refresh();
  expect(runtime.slots.counts().map(({ target }) => target)).toEqual([0, 0]);
  await changeMigration(control, { goal: 'target', goalPercent: 100 }, { actor: 'test' });
  await running.migrator.atGoal();
  await runtime.slots.refresh();
  expect(runtime.slots.counts().map(({ source: left }) => left)).toEqual([0, 0]);
  for (let n = 0; n < 500; n++) expect(await carried.read(`sid-${n}`)).toMatchObject({ state: 'live', side: 'target', userId: String(n) });
  expect((await runtime.target.get(carriedSessionKey('sid-1'))).state).toBe('live');
  await running.end();
  expect(notes.filter((note) => note.startsWith('gate'))).toEqual([]);
}, 60_000);
