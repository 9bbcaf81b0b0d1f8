import { randomBytes } from 'node:crypto';
import { PATIENT_MS, openWay } from '@wherry/embedded/testing';
import { Workbench } from '@wherry/migration/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { startProcess } from '../support/test-process.ts';
import { LIFE_MS, sessionValue } from '../faults/session-value.ts';

const client = createClient({ url: inject('redisUrl') });
beforeAll(() => client.connect());
afterAll(() => client.destroy());

/*
 * A gateway that has lost control, and sessions that lie in the source alone: no shard has a row of them that could say that
 * they have ended. All that one user has is ended meanwhile, by a process that has not lost control.
 */
test.each([
  ['PostgreSQL', 'postgresUrl'],
  ['MariaDB', 'mysqlUrl'],
] as const)('a gateway without news refuses what was ended for a user everywhere, with shards on %s', async (_, server) => {
  const bench = await Workbench.create(inject('postgresUrl'), [inject(server), inject(server)]);
  onTestFinished(() => bench.close());
  const prefix = `cut${randomBytes(4).toString('hex')}:`;
  const source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  const ids = { ended: ['a', 'b', 'c', 'd', 'e', 'f'], other: ['g', 'h'] };
  const write = (id: string, user: number): Promise<unknown> =>
    client.set(prefix + id, sessionValue(user, 0), { expiration: { type: 'PX', value: LIFE_MS } });
  for (const id of ids.ended) await write(id, 1);
  for (const id of ids.other) await write(id, 2);

  const link = await openWay(bench.controlUrl);
  onTestFinished(() => link[Symbol.asyncDispose]());
  const gateway = await startProcess({ bench, role: 'gateway', controlUrl: link.url });
  onTestFinished(() => gateway.leave());
  const { runtime } = gateway;
  const sessions = gateway.carried(source);
  const { runtime: auth } = await bench.process('auth');
  const statesOf = (some: readonly string[]): Promise<string[]> => Promise.all(some.map(async (id) => (await sessions.read(id)).state));

  expect(await statesOf(ids.ended)).toEqual(ids.ended.map(() => 'live'));
  link.sever();
  const { generation } = await auth.revocations.raiseGeneration('1', 'test', 'lost phone');
  await auth.target.endUser('1', generation, auth.now());
  // The bound: as long as its lease lets it believe that it knows.
  await vi.waitFor(() => expect(runtime.instance.leaseValid).toBe(false), { timeout: 30_000 });
  expect(runtime.ended.minimumGeneration('1')).toBe(0);
  expect(await statesOf(ids.ended)).toEqual(ids.ended.map(() => 'ended'));
  expect(await statesOf(ids.other)).toEqual(ids.other.map(() => 'live'));
  // With news again it needs no shard for it.
  link.mend();
  await vi.waitFor(() => expect(runtime.ended.minimumGeneration('1')).toBe(1), { timeout: 30_000 });
  expect(await statesOf(ids.ended)).toEqual(ids.ended.map(() => 'ended'));
});
