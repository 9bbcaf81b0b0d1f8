import { randomBytes } from 'node:crypto';
import { carriedSessionKey, listDeadLetters, undecidedDeadLetters } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { askVerification, changeMigration, readMigration } from './journal/state.ts';
import { verifyUntilEqual } from './steps.ts';
import { Workbench } from './testing/workbench.ts';
import { lastDifferences, newestVerification } from './verify/differences.ts';

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

test('a dead letter is forgotten when a comparison no longer meets it, and kept when it does', async () => {
  const letters = `letters-${prefix}`;
  const own = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => own.close());
  const source = createRedisSource({ client, prefix: letters, timeoutMs: PATIENT_MS });
  await client.set(`${letters}mended`, 'no JSON', { expiration: { type: 'EX', value: 600 } });
  await client.set(`${letters}broken`, 'no JSON', { expiration: { type: 'EX', value: 600 } });
  const running = await own.migrator(source);
  await changeMigration(running.context.control, { paused: true }, { actor: 'test' });
  await changeMigration(running.context.control, { paused: false, goalPercent: 0 }, { actor: 'test' });
  await running.migrator.atGoal();
  expect(await undecidedDeadLetters(running.context.control)).toBe(2);
  await client.set(`${letters}mended`, session(1), { expiration: { type: 'EX', value: 600 } });
  await verifyUntilEqual(running.context);
  expect((await listDeadLetters(running.context.control, 10)).map(({ id }) => id)).toEqual([carriedSessionKey('broken').id.toString()]);
});

test('what keeps a migration from going on is kept as its fault, and it goes on when that is over', async () => {
  const faulty = `fault-${prefix}`;
  const own = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => own.close());
  let broken = true;
  const source = createRedisSource({ client, prefix: faulty, timeoutMs: PATIENT_MS });
  const get = source.get.bind(source);
  // A source that answers another value than was written, as one with a proxy of its own in between might.
  source.get = async (ids) =>
    (await get(ids)).map((found) => (broken && found !== undefined ? { ...found, value: `${found.value} ` } : found));
  const running = await own.migrator(source);
  await changeMigration(running.context.control, { goalPercent: 1 }, { actor: 'test' });
  await expect.poll(() => running.migrator.fault?.code).toBe('canary_failed');
  broken = false;
  await running.migrator.atGoal();
  expect(running.migrator.fault).toBeUndefined();
});

test('reads as many sessions at a time as it is told, when it copies and when it compares', async () => {
  const many = `many-${prefix}`;
  const own = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => own.close());
  for (let n = 0; n < 100; n++) await client.set(`${many}s${n}`, session(n), { expiration: { type: 'EX', value: 600 } });
  const source = createRedisSource({ client, prefix: many, timeoutMs: PATIENT_MS });
  const limits = new Set<number>();
  const scan = source.scan.bind(source);
  source.scan = (partition, cursor, limit, signal) => {
    limits.add(limit);
    return scan(partition, cursor, limit, signal);
  };
  const running = await own.migrator(source, { batchSize: 17 });
  await changeMigration(running.context.control, { goalPercent: 0 }, { actor: 'test' });
  await running.migrator.atGoal();
  // The plan's sample has a size of its own.
  expect([...limits].toSorted((a, b) => a - b)).toEqual([17, 500]);
  const carried = running.context.target.getMany(Array.from({ length: 100 }, (_, n) => carriedSessionKey(`s${n}`)));
  expect((await carried).filter(({ state }) => state === 'live')).toHaveLength(100);
});

test('a settled migration is verified again when somebody asks for it, and mends what it finds', async () => {
  const settled = `settled-${prefix}`;
  const own = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => own.close());
  for (let n = 0; n < 5; n++) await client.set(`${settled}s${n}`, session(n), { expiration: { type: 'EX', value: 3600 } });
  const running = await own.migrator(createRedisSource({ client, prefix: settled, timeoutMs: PATIENT_MS }));
  const { control } = running.context;
  await running.migrator.atGoal();
  expect((await readMigration(control)).step).toBe('settled');
  // The source lost a session, as by a failover.
  await client.del(`${settled}s1`);
  await askVerification(control, { actor: 'test' });
  await running.migrator.atGoal();
  expect(JSON.parse((await client.get(`${settled}s1`)) ?? 'null')).toMatchObject({ user: { id: 1 } });
  expect(await newestVerification(control)).toMatchObject({ differences: {}, standing: 0 });
  expect(await lastDifferences(control)).toMatchObject({ differences: { extra: 1 } });
  expect((await readMigration(control)).step).toBe('settled');
});

test('a whole migration: copy, verify, switch, half-way back, forward again', async () => {
  for (let n = 0; n < 500; n++) await client.set(`${prefix}sid-${n}`, session(n), { expiration: { type: 'EX', value: 3600 } });
  const source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
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
});
