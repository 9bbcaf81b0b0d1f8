import type { PostgresServer } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createMetrics } from '@wherry/core/metrics';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ShardSet } from '../shard-set.ts';

/** A server of either dialect that a test stops and brings back. */
export type ShardServer = Pick<PostgresServer, 'pause' | 'start' | 'stop'> & { readonly address: string };

/** What holds of one shard on every dialect: its limits, its breaker, its repeats. */
export function shardSuite(start: () => Promise<ShardServer>): void {
  let server: ShardServer;
  beforeAll(async () => {
    server = await start();
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
      shards: [{ name: 'a', url: server.address }],
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
      expect(page).not.toMatch(/postgres:|mysql:/);
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
    const shards = new ShardSet({ shards: [{ name: 'a', url: server.address }], ...PATIENT, breaker: { threshold: 100_000 } });
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
    const shards = new ShardSet({ shards: [{ name: 'a', url: server.address }], statementMs: 100, deadlineMs: 150, maxInFlight: 2 });
    const sleep = { name: 'sleep', text: { postgres: 'SELECT pg_sleep(600)', mysql: 'SELECT SLEEP(600)' }, values: [] };
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
    const shards = new ShardSet({ shards: [{ name: 'a', url: server.address }], ...PATIENT });
    try {
      const error: unknown = await shards
        .query(0, {
          name: 'bad',
          text: { postgres: 'SELECT $1::text::int', mysql: "SELECT JSON_TYPE(JSON_EXTRACT($1, '$.a')), no_such_column" },
          values: ['secret'],
        })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'internal', data: { sqlstate: shards.shard(0).dialect === 'mysql' ? '42S22' : '22P02' } });
      expect((error as Error).message).not.toContain('secret');
      const cause = (error as Error).cause as Error;
      for (const hidden of ['secret', Buffer.from('secret').toString('base64')])
        expect(JSON.stringify(cause, Object.keys(cause))).not.toContain(hidden);
      expect(() => shards.shard(7)).toThrow(/names shard 7/);
    } finally {
      await shards.stop();
    }
  });

  test('stopped twice, at once or one after the other, it ends once, and neither call fails', async () => {
    const shards = new ShardSet({ shards: [{ name: 'a', url: server.address }], ...PATIENT });
    await shards.query(0, one);
    let ended = false;
    const first = shards.stop().then(() => (ended = true));
    await shards.stop();
    expect(ended).toBe(true);
    await Promise.all([first, shards.stop()]);
    await expect(shards.query(0, one, { deadlineMs: 1 })).rejects.toThrow();
  });
}
