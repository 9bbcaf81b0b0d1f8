import { startRedis, startRedisCluster, startRedisSentinels, type RedisNode } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { carriedSessionKey, type CarriedSessions, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, onTestFinished, test } from 'vitest';
import { changeMigration, readMigration } from './journal/state.ts';
import { Workbench, type RunningMigrator } from './testing/workbench.ts';

const HOUR = 3_600_000;
/** A writer and a migrator on a source, each with a client of its own: each finds out by itself. */
async function setUp(url: string): Promise<{ bench: Workbench; source: SourceStore; sessions: CarriedSessions; running: RunningMigrator }> {
  const bench = await Workbench.create(inject('postgresUrl'));
  const [source, theirs] = [createRedisSource({ url, timeoutMs: PATIENT_MS }), createRedisSource({ url, timeoutMs: PATIENT_MS })];
  onTestFinished(async () => {
    await bench.close();
    await source.close();
    await theirs.close();
  });
  const { runtime } = await bench.process('writer');
  return { bench, source, sessions: bench.carried(runtime, theirs), running: await bench.migrator(source) };
}

function session(user: number, text = 'as it was'): string {
  return JSON.stringify({ cookie: { originalMaxAge: HOUR }, user: { id: user, name: `user${user}`, roles: ['user'] }, text });
}

/** From here on the replica hears nothing, whoever tries. */
async function cutReplica(master: RedisNode): Promise<void> {
  await master.command('ACL', 'SETUSER', 'default', '-psync', '-sync');
  await master.command('CLIENT', 'KILL', 'TYPE', 'replica');
  await expect.poll(() => master.command('INFO', 'replication')).toContain('connected_slaves:0');
}

test('what a failover loses comes back, and what was ended stays ended', async () => {
  const group = await startRedisSentinels();
  onTestFinished(() => group.stop());
  const { source, sessions, running } = await setUp(group.url);
  const { control, target, slots } = running.context;
  const save = (id: string, user: number, text?: string): Promise<unknown> => sessions.save(id, session(user, text), HOUR);
  for (const [user, id] of ['kept', 'changed', 'ended', 'later', 'touched'].entries()) await save(id, user);
  await changeMigration(control, { goalPercent: 0 }, { actor: 'test' });
  await running.migrator.atGoal();
  await expect.poll(() => group.replica.command('EXISTS', 'sess:touched')).toBe('1');
  await cutReplica(group.master);
  const epoch = slots.epochOf(carriedSessionKey('changed').slot);

  // Acknowledged, and never replicated: a change, a log-out whose record is drained, a log-in, a touch.
  await save('changed', 1, 'as it is');
  await save('later', 3, 'of before');
  await sessions.end('ended', 'logout');
  await save('born', 9, 'since then');
  await sessions.touch('touched', 5 * HOUR);
  await target.flushSlots([carriedSessionKey('touched').slot]);
  await expect.poll(async () => (await running.context.revocations.undrained(undefined, 10)).length).toBe(0);

  await group.master.kill();
  await group.failOver();

  // Before anything is repaired: a process asks both sides.
  await expect
    .poll(() => sessions.read('changed').catch((error: unknown) => error))
    .toMatchObject({ state: 'live', attributes: session(1, 'as it is') });
  expect(await sessions.read('ended')).toEqual({ state: 'ended' });
  expect(await sessions.read('born')).toMatchObject({ state: 'live', userId: '9' });
  expect(await sessions.carry('born')).toMatchObject({ state: 'live', userId: '9' });
  expect(await sessions.save('later', session(3, 'of after'), HOUR)).toBe('saved');
  expect(await sessions.save('ended', session(2, 'a slow request'), HOUR)).toBe('ended');

  await running.migrator.atGoal();
  const [changed, ended, born, later, kept, touched] = await source.get(['changed', 'ended', 'born', 'later', 'kept', 'touched']);
  expect(changed?.value).toBe(session(1, 'as it is'));
  expect(ended).toMatchObject({ ended: true });
  expect(born?.value).toBe(session(9, 'since then'));
  // Of one epoch more, so that it counts on both sides whatever number the one of before has had.
  expect(later).toMatchObject({ value: session(3, 'of after'), version: { epoch: epoch + 1 } });
  expect(await target.get(carriedSessionKey('later'))).toMatchObject({ state: 'live', record: { attributes: session(3, 'of after') } });
  expect(kept?.value).toBe(session(0));
  expect((touched?.expireTime ?? 0) - (touched?.readAt ?? 0)).toBeGreaterThan(4 * HOUR);
  expect((await readMigration(control)).verifiedSince).toBeGreaterThan(0);
  await expect.poll(() => running.context.sourceDoubted()).toBe(false);
});

test('one node of a cluster fails over, and its sessions come back', async () => {
  const cluster = await startRedisCluster({ replicas: 1 });
  onTestFinished(() => cluster.stop());
  const { source, sessions, running } = await setUp(cluster.url);
  const { control } = running.context;
  const [master, replica] = [cluster.masters[0], cluster.replicas[0]];
  if (master === undefined || replica === undefined) throw new Error('the cluster lacks a node');
  const ids = Array.from({ length: 60 }, (_, i) => `spread${i}`);
  for (const [user, id] of ids.entries()) await sessions.save(id, session(user), HOUR);
  await changeMigration(control, { goalPercent: 0 }, { actor: 'test' });
  await running.migrator.atGoal();
  await cutReplica(master);
  for (const [user, id] of ids.entries()) await sessions.save(id, session(user, 'as it is'), HOUR);
  for (const id of ids.slice(0, 20)) await sessions.end(id, 'logout');
  await master.kill();
  await replica.command('CLUSTER', 'FAILOVER', 'TAKEOVER');
  for (const [user, id] of ids.entries())
    await expect
      .poll(() => sessions.read(id).catch((error: unknown) => error))
      .toMatchObject(user < 20 ? { state: 'ended' } : { state: 'live', attributes: session(user, 'as it is') });
  await running.migrator.atGoal();
  const found = await source.get(ids);
  expect(found.map((each) => (each?.ended === true ? 'ended' : each?.value))).toEqual(
    ids.map((_, user) => (user < 20 ? 'ended' : session(user, 'as it is'))),
  );
});

test('a server that comes back empty is filled again, whichever side is primary', async () => {
  const server = await startRedis({ persistent: false });
  onTestFinished(() => server.stop());
  const { source, sessions, running } = await setUp(server.url);
  const { control } = running.context;
  const ids = Array.from({ length: 40 }, (_, i) => `many${i}`);
  for (const [user, id] of ids.entries()) await sessions.save(id, session(user), HOUR);
  await changeMigration(control, { goalPercent: 50 }, { actor: 'test' });
  await running.migrator.atGoal();
  const [ended, alive] = [ids.slice(0, 10), ids.slice(10)];
  for (const id of ended) await sessions.end(id, 'logout');

  await server.pause();
  await server.start();

  // While a client connects anew its calls fail; what it then answers counts.
  const stateOf = (id: string): Promise<string> =>
    sessions.read(id).then(
      ({ state }) => state,
      () => 'away',
    );
  const known = async (id: string, state: string): Promise<void> => {
    let found = 'away';
    await expect.poll(async () => (found = await stateOf(id)), { timeout: PATIENT_MS }).not.toBe('away');
    expect(found).toBe(state);
  };
  for (const id of ended) await known(id, 'ended');
  for (const id of alive) await known(id, 'live');
  // Not at rest before it has compared both sides, whoever has met the server first.
  await running.migrator.atGoal();
  expect((await source.get(ended)).filter((found) => found?.ended === false)).toEqual([]);
  expect((await source.get(alive)).map((found) => found?.value)).toEqual(alive.map((_, i) => session(10 + i)));
  for (const id of ended) expect((await sessions.read(id)).state).toBe('ended');
});
