import { startPostgres, type PostgresServer } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createMetrics } from '@wherry/core/metrics';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ShardSet } from './shard-set.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ databases: ['a'] });
});
afterAll(async () => server.stop());

/** Bounds where they are not what is tested. */
const PATIENT = { statementMs: PATIENT_MS, deadlineMs: PATIENT_MS };
const one = { name: 'one', text: 'SELECT 1 AS one', values: [] };

test('a server that stops is turned away from at once, and used again when it is back', async () => {
  const metrics = createMetrics();
  // The breaker's clock is moved by hand: it stays open until the test has looked at it.
  const clock = { time: 0 };
  const shards = new ShardSet({
    shards: [{ name: 'a', url: server.url('a') }],
    metrics,
    ...PATIENT,
    breaker: { threshold: 3, openMs: 20, clock: { now: () => clock.time, monotonic: () => clock.time } },
  });
  const shard = shards.shard(0);
  try {
    expect((await shards.query(0, one)).rows).toEqual([{ one: 1 }]);
    await server.pause();
    await expect(shards.query(0, one, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'shard_unavailable', status: 503 });
    while (shard.breaker.state !== 'open') await shards.query(0, one, { deadlineMs: 100 }).catch(() => undefined);
    const { statements, rejected } = shard.counts;
    await expect(shards.query(0, one)).rejects.toMatchObject({ code: 'shard_unavailable' });
    expect([shard.counts.statements, shard.counts.rejected]).toEqual([statements, rejected + 1]);
    const page = await metrics.page();
    expect(page).toContain('wherry_shard_breaker_state{shard="a"} 2');
    expect(page).not.toContain('postgres:');
    await server.start();
    const answered = async (): Promise<boolean> =>
      shards.query(0, one).then(
        () => true,
        () => false,
      );
    while (!(await answered())) clock.time += 1000;
    expect(shard.breaker.state).toBe('closed');
    expect(shard.counts.inFlight).toBe(0);
  } finally {
    await shards.stop();
  }
});

test('a statement is repeated over a restart of the server, within its deadline', async () => {
  const shards = new ShardSet({ shards: [{ name: 'a', url: server.url('a') }], ...PATIENT, breaker: { threshold: 100_000 } });
  try {
    await shards.query(0, one);
    await server.pause();
    const answer = shards.query(0, one);
    while (shards.shard(0).counts.retries === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.start();
    expect((await answer).rows).toEqual([{ one: 1 }]);
  } finally {
    await shards.stop();
  }
});

test('a stalled statement ends at its deadline, and more than the limit are turned away', async () => {
  const shards = new ShardSet({ shards: [{ name: 'a', url: server.url('a') }], statementMs: 100, deadlineMs: 150, maxInFlight: 2 });
  const sleep = { name: 'sleep', text: 'SELECT pg_sleep(600)', values: [] };
  try {
    const sleeping = [shards.query(0, sleep), shards.query(0, sleep)];
    await expect(shards.query(0, one)).rejects.toMatchObject({ code: 'shard_unavailable' });
    const results = await Promise.allSettled(sleeping);
    for (const result of results) expect(result).toMatchObject({ reason: { code: 'shard_unavailable' } });
  } finally {
    await shards.stop();
  }
});

test('a refused statement says nothing of its values', async () => {
  const shards = new ShardSet({ shards: [{ name: 'a', url: server.url('a') }], ...PATIENT });
  try {
    const error: unknown = await shards
      .query(0, { name: 'bad', text: 'SELECT $1::text::int', values: ['secret'] })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'internal', data: { sqlstate: '22P02' } });
    expect((error as Error).message).not.toContain('secret');
    expect(() => shards.shard(7)).toThrow(/names shard 7/);
  } finally {
    await shards.stop();
  }
});

test('stopped twice, at once or one after the other, it ends once, and neither call fails', async () => {
  const shards = new ShardSet({ shards: [{ name: 'a', url: server.url('a') }], ...PATIENT });
  await shards.query(0, one);
  let ended = false;
  const first = shards.stop().then(() => (ended = true));
  await shards.stop();
  expect(ended).toBe(true);
  await Promise.all([first, shards.stop()]);
  await expect(shards.query(0, one, { deadlineMs: 1 })).rejects.toThrow();
});

test('connections read committed rows, and keep to look-ups by key', async () => {
  const url = new URL(server.url('a'));
  url.searchParams.set('options', '-c search_path=pg_catalog');
  const shards = new ShardSet({ shards: [{ name: 'a', url: url.href }], ...PATIENT });
  try {
    const settings = ['transaction_isolation', 'plan_cache_mode', 'enable_seqscan', 'search_path'];
    const { rows } = await shards.query<{ value: string }>(0, {
      name: 'settings',
      text: 'SELECT current_setting(s) AS value FROM unnest($1::text[]) s',
      values: [settings],
    });
    expect(rows.map(({ value }) => value)).toEqual(['read committed', 'force_generic_plan', 'off', 'pg_catalog']);
  } finally {
    await shards.stop();
  }
});
