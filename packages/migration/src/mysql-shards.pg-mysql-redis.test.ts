import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { changeMigration } from './journal/state.ts';
import { Workbench } from './testing/workbench.ts';
import { newestVerification } from './verify/differences.ts';

const client = createClient({ url: inject('redisUrl') });
beforeAll(async () => {
  await client.connect();
});
afterAll(() => client.destroy());

const COUNT = 200;

/** Users whose ids differ by case, by a space at the end, and in what is more than two bytes long. */
const USERS = ['ada', 'Ada', 'ada ', 'grâce', '𝄞', "al'an\\"];
const userOf = (n: number): string => USERS[n % USERS.length] ?? '';

function session(n: number, note = ''): string {
  return JSON.stringify({
    cookie: { originalMaxAge: 3_600_000, httpOnly: true, path: '/' },
    user: { id: userOf(n), name: `user${n}`, roles: ['user', `r${n % 7}`] },
    note,
  });
}

test('two shards on MariaDB: copied, verified, switched, written, and taken back with what was written', async () => {
  const prefix = `m${randomBytes(4).toString('hex')}:`;
  const bench = await Workbench.create(inject('postgresUrl'), [inject('mysqlUrl'), inject('mysqlUrl')]);
  onTestFinished(() => bench.close());
  for (let n = 0; n < COUNT; n++) await client.set(`${prefix}sid-${n}`, session(n), { expiration: { type: 'EX', value: 3600 } });
  const source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  const running = await bench.migrator(source);
  const { control } = running.context;

  await changeMigration(control, { goalPercent: 30 }, { actor: 'test' });
  await running.migrator.atGoal();
  expect(await newestVerification(control)).toMatchObject({ differences: {}, standing: 0 });

  const { runtime } = await bench.process('gateway');
  const carried = bench.carried(runtime, source);
  const sides = { source: 0, target: 0 };
  for (let n = 0; n < COUNT; n++) {
    const read = await carried.read(`sid-${n}`);
    expect(read).toMatchObject({ state: 'live', userId: userOf(n), authorities: ['user', `r${n % 7}`] });
    if (read.state === 'live') sides[read.side]++;
  }
  expect(Math.min(sides.source, sides.target)).toBeGreaterThan(20);

  // What the application writes and ends from here on is written at the target and mirrored back.
  const hour = 3_600_000;
  for (let n = 0; n < 20; n++) expect(await carried.save(`sid-${n}`, session(n, 'written "at" the target'), hour)).toBe('saved');
  expect(await carried.save('born-there', session(1, 'new'), hour)).toBe('saved');
  for (let n = 20; n < 40; n++) await carried.end(`sid-${n}`, 'logout');
  expect(await carried.save('sid-20', session(20), hour)).toBe('ended');

  await changeMigration(control, { goal: 'source', goalPercent: 100 }, { actor: 'test' });
  await running.migrator.atGoal();
  await runtime.slots.refresh();
  expect(runtime.slots.counts().map(({ target }) => target)).toEqual([0, 0]);
  for (let n = 0; n < COUNT; n++) {
    const ended = n >= 20 && n < 40;
    const read = await carried.read(`sid-${n}`);
    expect([n, read.state === 'live' ? read.userId : undefined]).toEqual([n, ended ? undefined : userOf(n)]);
    const note = n < 20 ? 'written "at" the target' : '';
    expect(JSON.parse((await client.get(`${prefix}sid-${n}`)) ?? 'null')).toEqual(ended ? null : JSON.parse(session(n, note)));
  }
  expect(await carried.read('born-there')).toMatchObject({ state: 'live', side: 'source' });
  await running.end();
});
