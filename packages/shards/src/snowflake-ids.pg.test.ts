import { systemClock, type Clock } from '@wherry/core';
import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { shardsControlSchema } from './schema.ts';
import { SnowflakeIds } from './snowflake-ids.ts';
import { snowflakeParts } from './snowflake.ts';

let home: ControlDatabase;
let control: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, shardsControlSchema]);
  control = home.database;
});
afterAll(() => home[Symbol.asyncDispose]());

/** Longer than any test lasts. */
const LONG_MS = 3_600_000;

const showing = (now: () => number): Clock => ({ now, monotonic: systemClock.monotonic });

test('processes that start together have worker ids of their own and make no id twice', async () => {
  const processes = Array.from({ length: 6 }, () => new SnowflakeIds({ control, renewMs: 20, leaseMs: LONG_MS }));
  await Promise.all(processes.map(async (ids) => ids.run()));
  expect(new Set(processes.map(({ workerId }) => workerId)).size).toBe(6);
  const made = await Promise.all(processes.flatMap((ids) => Array.from({ length: 2000 }, async () => ids.next())));
  expect(new Set(made).size).toBe(made.length);
  await Promise.all(processes.map(async (ids) => ids.stop()));
});

test('a process whose clock is behind gets no times that a former holder may have used', async () => {
  // One worker id only, so that every process takes the same.
  await control.query('UPDATE worker_id SET lease_until = wherry_now() + 3600000 WHERE id <> 77');
  await control.query('UPDATE worker_id SET lease_until = 0, high_water = 0 WHERE id = 77');
  const highWater = async (): Promise<number> =>
    Number((await control.query<{ h: bigint }>('SELECT high_water AS h FROM worker_id WHERE id = 77')).rows[0]?.h);
  const at = systemClock.now();
  const crashed = new SnowflakeIds({ control, clock: showing(() => at), renewMs: LONG_MS, aheadMs: 200 });
  await crashed.run();
  const reserved = await highWater();
  expect(reserved).toBe(at + 200);
  await control.query('UPDATE worker_id SET lease_until = 0 WHERE id = 77');
  const behind = new SnowflakeIds({ control, clock: showing(() => reserved - 50) });
  await expect(behind.run()).rejects.toMatchObject({ code: 'id_worker_lost' });
  const ahead = new SnowflakeIds({ control, clock: showing(() => Math.max(reserved + 1, systemClock.now())), leaseMs: LONG_MS });
  await ahead.run();
  const { worker, time } = snowflakeParts(await ahead.next());
  expect([worker, time > reserved]).toEqual([77, true]);
  await ahead.stop();
  expect(await highWater()).toBe(time);
  await expect(new SnowflakeIds({ control, clock: showing(() => time) }).run()).rejects.toMatchObject({ code: 'id_worker_lost' });
});

test('a clock that goes back is refused until it has caught up, one that runs away reserves nothing', async () => {
  await control.query('UPDATE worker_id SET lease_until = 0');
  const begun = systemClock.now();
  let offset = 0;
  const ids = new SnowflakeIds({ control, clock: showing(() => begun + offset), renewMs: LONG_MS, leaseMs: LONG_MS });
  await ids.run();
  await ids.next();
  offset = -1000;
  await expect(ids.next()).rejects.toMatchObject({ code: 'id_clock_backwards' });
  offset = 3_600_000;
  await expect(ids.next()).rejects.toMatchObject({ code: 'id_clock_backwards' });
  offset = 4000;
  expect(snowflakeParts(await ids.next()).worker).toBe(ids.workerId);
  await ids.stop();
});

test('a lost lease is followed by another worker id', async () => {
  const ids = new SnowflakeIds({ control, renewMs: LONG_MS, leaseMs: LONG_MS });
  await ids.run();
  const first = ids.workerId;
  await control.query(`UPDATE worker_id SET holder = 'somebody else', lease_until = wherry_now() + 3600000 WHERE id = $1`, [first]);
  // The reservation still holds, so ids are still its own; the next renewal finds out.
  await ids.next();
  await ids.run();
  expect(ids.workerId).not.toBe(first);
  await ids.next();
  await ids.stop();
});
