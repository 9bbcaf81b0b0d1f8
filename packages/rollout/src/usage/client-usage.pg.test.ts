import { Instance, coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { rolloutSchema } from '../rollout.ts';
import { ClientUsage } from './client-usage.ts';
import { readClientUsage, readObservedUse } from './usage-report.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(() => database.query('TRUNCATE instance, usage_reporter, client_usage'));

const LATER = 60_000;

/** A row of a process, its lease ending `leaseMs` from now. */
async function instance(id: string, role: string, leaseMs: number, state = 'live'): Promise<void> {
  await database.query(
    `INSERT INTO instance (id, role, state, started_at, lease_until) VALUES ($1, $2, $3, wherry_now(), wherry_now() + $4)`,
    [id, role, state, leaseMs],
  );
}

function usage(id: string, now: () => number): ClientUsage {
  return new ClientUsage({ database, instanceId: () => id, role: 'gateway', now, everyMs: LATER });
}

describe('the use of credentials', () => {
  it('is added up over processes, and over reports', async () => {
    const [a, b] = [usage('a', () => 1000), usage('b', () => 1000)];
    await a.run();
    await b.run();
    const shop = { clientId: 'shop', version: '4.2' };
    a.of(shop, 'cookie').use(100);
    a.of(shop, 'cookie').use(300);
    b.of(shop, 'cookie').use(200);
    b.of(shop, 'jwt').use(900);
    await a.stop();
    await b.stop();
    expect(await readClientUsage(database)).toEqual([
      { ...shop, kind: 'cookie', firstUsed: 100, lastUsed: 300, requests: 3 },
      { ...shop, kind: 'jwt', firstUsed: 900, lastUsed: 900, requests: 1 },
    ]);
  });

  it('is kept while the database is away', async () => {
    let away = false;
    const broken = {
      query: async (...args: unknown[]) => (away ? Promise.reject(new Error('away')) : (database.query as Function)(...args)),
    };
    const one = new ClientUsage({ database: broken as never, instanceId: () => 'a', role: 'gateway', now: () => 1, everyMs: 5 });
    await one.run();
    away = true;
    one.of({ clientId: 'shop', version: '' }, 'cookie').use(7);
    await expect.poll(async () => (await readClientUsage(database)).length).toBe(0);
    away = false;
    await expect.poll(async () => (await readClientUsage(database))[0]?.requests).toBe(1);
    await one.stop();
    expect((await readClientUsage(database))[0]?.requests).toBe(1);
  });

  it('has a bounded number of versions', () => {
    const one = new ClientUsage({ database, instanceId: () => 'a', role: 'gateway', now: () => 1, size: 3 });
    const counters = Array.from({ length: 50 }, (_, at) => one.of({ clientId: 'shop', version: `${at}` }, 'cookie'));
    expect(new Set(counters).size).toBe(4);
    expect(counters.at(-1)?.version).toBe('');
  });
});

describe('what was observed', () => {
  it('is nothing before anybody has reported', async () => {
    expect(await readObservedUse(database)).toMatchObject({ observedSince: null, lastSessionUse: null, silent: [] });
  });

  it('names live processes that do not report', async () => {
    await instance('g', 'gateway', LATER);
    await instance('w', 'writer', LATER);
    await instance('m', 'migrator', LATER);
    expect((await readObservedUse(database)).silent).toEqual(['gateway g', 'writer w']);
    const { rows } = await database.query<{ now: bigint }>('SELECT wherry_now() AS now');
    const reporting = usage('g', () => Number(rows[0]?.now));
    await reporting.run();
    expect((await readObservedUse(database)).silent).toEqual(['writer w']);
    await reporting.stop();
  });

  it('reaches as far as the oldest report of those who live', async () => {
    const before = await readObservedUse(database);
    expect(before.observedUntil).toBe(before.now);
    const { now } = before;
    const [early, late, gone] = [usage('early', () => now - 3000), usage('late', () => now - 10), usage('gone', () => now - 9000)];
    for (const id of ['early', 'late']) await instance(id, 'gateway', LATER);
    await instance('gone', 'gateway', -1000, 'left');
    for (const each of [early, late, gone]) await each.run();
    expect((await readObservedUse(database)).observedUntil).toBe(now - 3000);
    await instance('mute', 'auth', LATER);
    expect(await readObservedUse(database)).toMatchObject({ observedUntil: 0, silent: ['auth mute'] });
    for (const each of [early, late, gone]) await each.stop();
  });

  it('takes the end of a process that never reported for the beginning', async () => {
    await instance('old', 'gateway', -1000, 'left');
    const reporting = usage('g', () => 5);
    await reporting.run();
    const { observedSince, now } = await readObservedUse(database);
    expect(observedSince).toBeGreaterThan(now - 30_000);
    await reporting.stop();
  });

  it('takes the last moments of a killed process for a use, and not those of one that ended well', async () => {
    const [well, killed] = [usage('well', () => 10), usage('killed', () => 20)];
    await instance('well', 'gateway', -5000, 'left');
    await well.run();
    await well.stop();
    expect((await readObservedUse(database)).lastSessionUse).toBeNull();
    await instance('killed', 'gateway', -3000);
    await killed.run();
    const { lastSessionUse, now } = await readObservedUse(database);
    expect(lastSessionUse).toBeGreaterThan(now - 30_000);
    expect(lastSessionUse).toBeLessThan(now);
  });

  it('tells of sessions, not of tokens', async () => {
    const one = usage('g', () => 50);
    await one.run();
    one.of({ clientId: 'shop', version: '' }, 'jwt').use(40);
    one.of({ clientId: 'shop', version: '' }, 'session_token').use(30);
    await one.stop();
    expect((await readObservedUse(database)).lastSessionUse).toBe(30);
  });
});

describe('an instance of its own', () => {
  it('is what a report goes by', async () => {
    const registered = new Instance({ database, role: 'gateway', topics: [] });
    await registered.run();
    const one = usage(registered.id, () => Date.now());
    await one.run();
    expect((await readObservedUse(database)).silent).toEqual([]);
    await one.stop();
    await registered.stop();
  });
});
