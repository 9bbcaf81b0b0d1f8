import { coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { noFigures, readFigures } from './figures.ts';
import { latencyClass } from './latency.ts';
import { RolloutMeter } from './meter.ts';
import { rolloutSchema } from './rollout.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(() => database.query('TRUNCATE rollout_sample'));

const rows = async (): Promise<number> => {
  const found = await database.query<{ count: number }>('SELECT count(*)::int AS count FROM rollout_sample');
  return found.rows[0]?.count ?? -1;
};

describe('RolloutMeter', () => {
  it('adds up what several instances saw of a course, and nothing of another', async () => {
    let course = 7;
    const meters = [new RolloutMeter({ database, course: () => course }), new RolloutMeter({ database, course: () => course })];
    for (const meter of meters) {
      for (let n = 0; n < 10; n++) meter.request('cohort', 'ok', 2);
      meter.request('cohort', 'unauthorized', 40);
      meter.request('control', 'unavailable', Number.NaN);
      meter.renewal('cohort', 'ok');
      meter.renewal('cohort', 'failed');
      meter.compared('outside', true);
      meter.compared('outside', false);
      meter.loginAfterSignOut('control');
    }
    course = 8;
    for (const meter of meters) meter.request('cohort', 'ok', 2);
    await Promise.all(meters.map((meter) => meter.flush()));
    const { cohort, control, outside } = await readFigures(database, 7, 0);
    expect({ ...cohort, latency: [] }).toEqual({ ...noFigures(), ok: 20, unauthorized: 2, renewed: 2, renewalFailed: 2, latency: [] });
    expect([cohort.latency[latencyClass(2)], cohort.latency[latencyClass(40)], cohort.latency.reduce((sum, n) => sum + n)]).toEqual([
      20, 2, 22,
    ]);
    expect([control.unavailable, control.signedOut, control.latency[0]]).toEqual([2, 2, 2]);
    expect([outside.compared, outside.differed, outside.ok]).toEqual([4, 2, 0]);
    expect((await readFigures(database, 8, 0)).cohort.ok).toBe(2);
    expect((await readFigures(database, 7, Number.MAX_SAFE_INTEGER)).cohort).toEqual(noFigures());
  });

  it('counts nothing twice, however often it is sent, and lets a late statement change nothing', async () => {
    const sent: unknown[][] = [];
    const spied = Object.create(database) as Database;
    spied.query = ((text: string, values: unknown[]) => {
      sent.push(values);
      return database.query(text, values);
    }) as Database['query'];
    const meter = new RolloutMeter({ database: spied, course: () => 1 });
    meter.request('cohort', 'ok', 1);
    await meter.flush();
    meter.request('cohort', 'ok', 1);
    await Promise.all([meter.flush(), meter.flush(), meter.flush()]);
    expect(sent).toHaveLength(2);
    expect(await rows()).toBe(1);
    // The first statement once more, as a server does it that was thought dead.
    const late = Object.create(database) as Database;
    late.query = ((text: string) => database.query(text, sent[0] ?? [])) as Database['query'];
    const ghost = new RolloutMeter({ database: late, course: () => 1 });
    ghost.request('cohort', 'ok', 1);
    await ghost.flush();
    expect((await readFigures(database, 1, 0)).cohort.ok).toBe(2);
  });

  it('sends what a database that was away has missed, and keeps only so much of it', async () => {
    const away = openDatabase({ url: 'postgres://wherry@127.0.0.1:1/none' });
    let up = false;
    const flaky = Object.create(database) as Database;
    flaky.query = ((text: string, values: unknown[]) => (up ? database : away).query(text, values)) as Database['query'];
    let now = 0;
    const clock = { now: () => now, monotonic: () => now };
    const meter = new RolloutMeter({ database: flaky, course: () => 1, rowMs: 10, clock });
    for (let row = 0; row < 40; row++) {
      meter.request('cohort', 'ok', 1);
      now += 10;
      await meter.flush();
    }
    up = true;
    await meter.flush();
    const { ok } = (await readFigures(database, 1, 0)).cohort;
    // The newest thirty rows.
    expect(ok).toBe(30);
    await meter.flush();
    expect(await rows()).toBe(30);
    await away.end();
  });

  it('sends by itself, and the rest when it stops', async () => {
    const meter = new RolloutMeter({ database, course: () => 3, everyMs: 5 });
    await meter.run();
    meter.renewal('control', 'ok');
    await expect.poll(async () => (await readFigures(database, 3, 0)).control.renewed).toBe(1);
    meter.renewal('control', 'ok');
    await meter.stop();
    expect((await readFigures(database, 3, 0)).control.renewed).toBe(2);
  });
});
