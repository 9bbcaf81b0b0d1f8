import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { silentLogger } from '@wherry/core';
import { createMetrics } from '@wherry/core/metrics';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { TEST_IDENTITY, Workbench } from '@wherry/migration/testing';
import { expressJsonDecoder } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { MigratorService } from './migrator-service.ts';
import type { MigrationStatus } from './status.ts';

const IDENTITY = expressJsonDecoder({ identity: TEST_IDENTITY });

test('a connection that its client keeps open holds no drain up, and is not kept for long', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `svc-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  onTestFinished(() => source.close());
  const { runtime } = await bench.process('migrator');
  const metrics = createMetrics();
  const service = new MigratorService({
    runtime,
    source,
    decode: IDENTITY,
    writers: 'none',
    host: '127.0.0.1',
    port: 0,
    metrics,
    log: silentLogger,
  });
  await service.run();
  const { port } = service;
  const kept = connect(port, '127.0.0.1');
  onTestFinished(() => void kept.destroy());
  let text = '';
  let closed = false;
  kept.on('data', (chunk: Buffer) => (text += chunk.toString())).on('close', () => (closed = true));
  const ask = (): boolean => kept.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
  ask();
  await vi.waitFor(() => expect(text).toContain('{"status":"ok"}'));
  // What lies open after an answer that was just leaving at the drain lies so for this long.
  expect(text).toMatch(/^keep-alive: timeout=1\r$/im);
  // One more request, so that the drain meets an answer that is leaving.
  ask();
  await service.drain();
  await service.stop();
  await vi.waitFor(() => expect(closed).toBe(true));
  await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow('fetch failed');
});

test('drives a migration and tells of it: probes, status, gates, metrics', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `svc-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  onTestFinished(() => source.close());
  const { runtime } = await bench.process('migrator');
  const value = JSON.stringify({ cookie: { originalMaxAge: 600_000 }, user: { id: 1, name: 'a', roles: ['x'] } });
  for (let n = 0; n < 20; n++) await source.save(`s${n}`, value, 600_000, 1);
  // Nothing that is not JSON can be carried: a person has to decide.
  await source.save('broken', '{', 600_000, 1);
  await changeMigration(runtime.control, { goal: 'target', goalPercent: 2 }, { actor: 'test' });
  const service = new MigratorService({
    runtime,
    source,
    decode: IDENTITY,
    writers: 'none',
    host: '127.0.0.1',
    port: 0,
    graceMs: 50,
    shadowMs: 50,
    metrics: createMetrics(),
    log: silentLogger,
  });
  await service.run();
  onTestFinished(async () => {
    await service.drain();
    await service.stop();
  });
  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${service.port}${path}`);
  expect((await ask('/livez')).status).toBe(200);
  expect((await ask('/readyz')).status).toBe(200);
  const status = async (): Promise<MigrationStatus> => (await (await ask('/v1/migration')).json()) as MigrationStatus;
  await expect.poll(async () => (await status()).step).toBe('switch');
  expect(await status()).toMatchObject({ goal: 'target', goalPercent: 2, deadLetters: { undecided: 1, abandoned: 0 } });
  const gates = (await (await ask('/v1/migration/gates')).json()) as { gate: string }[];
  expect(gates.map(({ gate }) => gate)).toEqual(['dead_letters']);
  const metrics = await (await ask('/metrics')).text();
  expect(metrics).toMatch(/wherry_migration_done\{step="copy"\} \d+/);
  expect(metrics).toMatch(/wherry_slots\{shard="0",side="source"\} 8192/);
  expect((await ask('/nothing')).status).toBe(404);
});
