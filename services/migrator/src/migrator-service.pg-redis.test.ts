import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { silentLogger } from '@wherry/core';
import { createMetrics } from '@wherry/core/metrics';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { TEST_IDENTITY, Workbench } from '@wherry/migration/testing';
import { expressJsonDecoder, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { MigratorService } from './migrator-service.ts';
import { OperatorGate } from './operator.ts';
import type { MigrationStatus } from './status.ts';

type Options = ConstructorParameters<typeof MigratorService>[0];

/** What a test runs on, until it is over. */
interface Stage {
  readonly bench: Workbench;
  readonly runtime: Options['runtime'];
  readonly source: SourceStore;
  /** A service on it, not running yet. */
  serve(options?: Partial<Options>): MigratorService;
}

/** Databases, and a source of so many sessions. */
async function prepare(sessions = 0): Promise<Stage> {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `svc-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  onTestFinished(() => source.close());
  const { runtime } = await bench.process('migrator');
  const value = JSON.stringify({ cookie: { originalMaxAge: 600_000 }, user: { id: 1, name: 'a', roles: ['x'] } });
  for (let n = 0; n < sessions; n++) await source.save(`s${n}`, value, 600_000, 1);
  const serve = (options: Partial<Options> = {}): MigratorService =>
    new MigratorService({
      runtime,
      source,
      decode: expressJsonDecoder({ identity: TEST_IDENTITY }),
      writers: 'none',
      host: '127.0.0.1',
      port: 0,
      metrics: createMetrics(),
      log: silentLogger,
      ...options,
    });
  return { bench, runtime, source, serve };
}

test('a connection that its client keeps open holds no drain up, and is not kept for long', async () => {
  const { serve } = await prepare();
  const service = serve();
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
  const { runtime, source, serve } = await prepare(20);
  // Nothing that is not JSON can be carried: a person has to decide.
  await source.save('broken', '{', 600_000, 1);
  await changeMigration(runtime.control, { goal: 'target', goalPercent: 2 }, { actor: 'test' });
  const service = serve({ graceMs: 50, shadowMs: 50 });
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

test('is steered over HTTP by the bearer of the secret alone, and keeps who did it and why', async () => {
  const { bench, runtime, serve } = await prepare(10);
  await changeMigration(runtime.control, { paused: true }, { actor: 'test' });
  const operatorSecret = 'the-secret-of-operators-0123456789';
  const service = serve({ graceMs: 50, shadowMs: 50, operatorSecret });
  await service.run();
  onTestFinished(async () => {
    await service.drain();
    await service.stop();
  });
  const post = (path: string, body: object, authorization: string | undefined = `Bearer ${operatorSecret}`): Promise<Response> =>
    fetch(`http://127.0.0.1:${service.port}/v1/migration/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization === '' ? {} : { authorization }) },
      body: JSON.stringify(body),
    });
  const reason = 'a test';
  expect((await post('pause', { reason }, '')).status).toBe(401);
  for (const wrong of ['Bearer wrong', `Basic ${operatorSecret}`, `Bearer ${operatorSecret}x`]) {
    const { status } = await post('resume', { reason }, wrong);
    expect([401, 403]).toContain(status);
  }
  for (const [path, body] of [
    ['rate', { reason }],
    ['rate', { reason, rate: -1 }],
    ['rate', { reason, rate: 1.5 }],
    ['batch', { reason, batch: 5001 }],
    ['switch', { reason, percent: 101 }],
    ['pause', {}],
    ['pause', { reason, more: true }],
  ] as const) {
    expect((await post(path, body)).status, `${path} ${JSON.stringify(body)}`).toBe(400);
  }
  const { rows: before } = await runtime.control.query("SELECT FROM audit WHERE actor LIKE 'operator%'");
  expect(before).toHaveLength(0);
  expect(await (await post('rate', { reason, rate: 5000, actor: 'ada' })).json()).toMatchObject({ rate: 5000, paused: true });
  expect(await (await post('batch', { reason, batch: 3 })).json()).toMatchObject({ batch: 3 });
  expect((await post('switch', { reason, percent: 3 })).status).toBe(200);
  const status = async (): Promise<MigrationStatus> =>
    (await (await fetch(`http://127.0.0.1:${service.port}/v1/migration`)).json()) as MigrationStatus;
  await service.migration.migrator.atGoal();
  expect((await status()).slots.filter(({ side }) => side === 'target')).not.toEqual([]);
  expect(await status()).toMatchObject({ rate: 5000, batch: 3, work: { workers: 0, leftMs: null } });
  const { work } = await status();
  expect(work.shards.reduce((sum, { copied }) => sum + copied, 0)).toBe(10);
  expect(work.parts.every(({ done }) => done)).toBe(true);
  // Slots are at the target: they go back first, then everything rests at its beginning.
  expect(await (await post('abort', { reason: 'enough' })).json()).toMatchObject({ aborting: true, goal: 'source' });
  expect((await post('switch', { reason, percent: 3 })).status).toBe(409);
  await expect.poll(async () => (await status()).abortedAt).not.toBeNull();
  const after = await status();
  expect(after).toMatchObject({ step: 'plan', paused: true, aborting: false, verifiedSince: null, work: { parts: [] } });
  expect(after.slots.every(({ side, state }) => side === 'source' && state === 'open')).toBe(true);
  const { rows } = await runtime.control.query("SELECT actor, action, reason FROM audit WHERE actor LIKE 'operator%' ORDER BY id");
  expect(rows).toEqual([
    { actor: 'operator:ada', action: 'migration.change', reason },
    { actor: 'operator', action: 'migration.change', reason },
    { actor: 'operator', action: 'migration.change', reason },
    { actor: 'operator', action: 'migration.abort', reason: 'enough' },
  ]);
  // As the documents tell to remove what was copied.
  for (const url of bench.shardUrls) await bench.database(url).query('DELETE FROM user_session WHERE source_ref IS NOT NULL');
  // Taken up again, it starts from the beginning and comes to its goal.
  expect((await post('switch', { reason, percent: 2 })).status).toBe(200);
  await service.migration.migrator.atGoal();
  expect(await status()).toMatchObject({ abortedAt: null, step: 'switch' });
  expect((await status()).work.shards.reduce((sum, { copied }) => sum + copied, 0)).toBe(10);
});

test('without a secret nobody steers it', async () => {
  const gate = new OperatorGate(undefined);
  const request = (...headers: string[]): IncomingMessage =>
    ({ headersDistinct: { authorization: headers } }) as unknown as IncomingMessage;
  expect(() => gate.check(request('Bearer x'))).toThrow('operator');
  const guarded = new OperatorGate('x');
  expect(() => guarded.check(request('Bearer x'))).not.toThrow();
  expect(() => guarded.check(request('Bearer x', 'Bearer x'))).toThrow('operator');
  expect(() => guarded.check(request())).toThrow('operator');
});
