import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { moveRollout } from './commands.ts';
import { RolloutGuard, type GuardLook } from './guard.ts';
import { rolloutHistory } from './history.ts';
import { RolloutMeter } from './meter.ts';
import { pauseRollout, resumeRollout } from './pause.ts';
import type { RolloutPhase } from './phase.ts';
import { readRollout, rolloutSchema } from './rollout.ts';
import { changeRolloutSettings } from './settings.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.query('TRUNCATE audit, instance, rollout_sample');
  await enter({ phase: 'led', percent: 10 });
});

async function enter(phase: RolloutPhase, settled = true): Promise<void> {
  await database.query(
    `UPDATE rollout SET version = version + 1, course = version + 1, phase = $1, percent = $2, settled = $3, retreating = false, paused = NULL, limits = '{}'`,
    [phase.phase, phase.phase === 'led' ? phase.percent : null, settled],
  );
}
type Counts = Partial<Record<'ok' | 'unauthorized' | 'renewalFailed' | 'renewed', number>>;
/** What one more instance saw of the present course. */
async function seen(cohort: Counts, control: Counts = {}, outside: Counts = {}): Promise<void> {
  const { course } = await readRollout(database);
  const meter = new RolloutMeter({ database, course: () => course });
  for (const [arm, counts] of [
    ['cohort', cohort],
    ['control', control],
    ['outside', outside],
  ] as const) {
    for (let n = 0; n < (counts.ok ?? 0); n++) meter.request(arm, 'ok', 1);
    for (let n = 0; n < (counts.unauthorized ?? 0); n++) meter.request(arm, 'unauthorized', 1);
    for (let n = 0; n < (counts.renewed ?? 0); n++) meter.renewal(arm, 'ok');
    for (let n = 0; n < (counts.renewalFailed ?? 0); n++) meter.renewal(arm, 'failed');
  }
  await meter.flush();
}
const look = (): Promise<GuardLook> => new RolloutGuard({ database }).look();
const actions = async (): Promise<string[]> => (await rolloutHistory(database)).map(({ action, actor }) => `${action} ${actor}`);

describe('RolloutGuard', () => {
  it('leaves a good course alone, and one of which too little is seen', async () => {
    expect(await look()).toBe('nothing');
    await seen({ unauthorized: 900 }, { ok: 5000 });
    expect(await look()).toBe('nothing');
    await enter({ phase: 'led', percent: 11 });
    await seen({ ok: 5000, unauthorized: 5 }, { ok: 5000, unauthorized: 5 });
    expect(await look()).toBe('nothing');
    expect(await actions()).toEqual([]);
  });

  it('holds the rollout at a breach, and goes back one step when what comes after confirms it', async () => {
    await seen({ ok: 4000, unauthorized: 200 }, { ok: 4000, unauthorized: 20 });
    expect(await look()).toBe('stopped');
    const { version, paused, phase } = await readRollout(database);
    expect(phase).toBe('led');
    expect(paused).toMatchObject({
      by: 'guard',
      guardrails: ['unauthorized'],
      reason: expect.stringMatching(
        /^401 rate of the cohort less the control: 4\.\d+ %, at least 3\.\d+ %, limit 0\.1 % \(4200 against 4020\)$/,
      ),
    });
    await expect(
      moveRollout(database, { command: 'set-percent', percent: 20 }, { expectedVersion: version, actor: 'ada' }),
    ).rejects.toMatchObject({ code: 'rollout_paused' });
    // Nothing new was seen: the same figures confirm nothing.
    expect(await look()).toBe('unconfirmed');
    await seen({ ok: 190, unauthorized: 10 }, { ok: 200 });
    expect(await look()).toBe('rolled_back');
    expect(await readRollout(database)).toMatchObject({ phase: 'dual', retreating: true, paused: { by: 'guard' } });
    const history = await rolloutHistory(database);
    expect(history.map(({ action }) => action)).toEqual(['rollout.rollback', 'rollout.stop']);
    expect(history[0]).toMatchObject({
      actor: 'guard',
      reason: expect.stringContaining('401 rate'),
      from: { phase: 'led', percent: 10 },
      to: { phase: 'dual' },
    });
    expect(history[1]?.details['figures']).toContainEqual(
      expect.objectContaining({ name: 'unauthorized', verdict: 'breach', cohortSample: 4200 }),
    );
    // A new course, of which nothing is seen: it does not go on to fall.
    expect(await look()).toBe('nothing');
  });

  it('does not go back when the time after the stop was good', async () => {
    await seen({ ok: 4000, unauthorized: 200 }, { ok: 4000 });
    expect(await look()).toBe('stopped');
    await seen({ ok: 400 }, { ok: 400 });
    expect(await look()).toBe('unconfirmed');
    expect(await readRollout(database)).toMatchObject({ phase: 'led', paused: { by: 'guard' } });
  });

  it('goes back though an operator holds the rollout, and counts a stop for its own course only', async () => {
    await pauseRollout(database, { actor: 'ada' });
    await seen({ ok: 4000, unauthorized: 200 }, { ok: 4000 });
    expect(await look()).toBe('stopped');
    await seen({ ok: 190, unauthorized: 10 }, { ok: 200 });
    expect(await look()).toBe('rolled_back');
    await seen({}, {}, { renewed: 4000, renewalFailed: 400 });
    expect(await look()).toBe('stopped');
    await seen({}, {}, { renewed: 40, renewalFailed: 40 });
    expect(await look()).toBe('rolled_back');
    expect(await readRollout(database)).toMatchObject({ phase: 'stateful', settled: false });
    expect(await look()).toBe('nothing');
  });

  it('begins anew when an operator has resumed', async () => {
    await seen({ ok: 4000, unauthorized: 200 }, { ok: 4000 });
    expect(await look()).toBe('stopped');
    await resumeRollout(database, { actor: 'ada', reason: 'a fault of the test' });
    await seen({ ok: 190, unauthorized: 10 }, { ok: 200 });
    expect(await look()).toBe('stopped');
  });

  it('of many instances acts once, whatever operators do at the same time', async () => {
    for (let round = 0; round < 10; round++) {
      await enter({ phase: 'led', percent: 10 + round });
      await database.query('TRUNCATE audit');
      await seen({ ok: 4000, unauthorized: 200 }, { ok: 4000 });
      const stops = await Promise.all(Array.from({ length: 4 }, look));
      expect(stops.filter((act) => act === 'stopped')).toHaveLength(1);
      expect(stops.every((act) => act === 'stopped' || act === 'overtaken' || act === 'unconfirmed')).toBe(true);
      await seen({ ok: 190, unauthorized: 10 }, { ok: 200 });
      const { version } = await readRollout(database);
      const [operator, ...looks] = await Promise.all([
        moveRollout(database, { command: 'rollback' }, { expectedVersion: version, actor: 'ada' }).then(
          () => 'moved',
          () => 'conflict',
        ),
        ...Array.from({ length: 3 }, look),
      ]);
      // One step back in all: never two for one breach.
      expect((await readRollout(database)).phase).toBe('dual');
      expect(looks.filter((act) => act === 'rolled_back').length + (operator === 'moved' ? 1 : 0)).toBe(1);
      expect((await actions()).filter((action) => action.startsWith('rollout.rollback'))).toHaveLength(1);
    }
  });

  it('goes by the limits that are set in the rollout', async () => {
    await changeRolloutSettings(database, { limits: { unauthorizedSample: 20, confidence: 2 } }, { actor: 'ada' });
    await seen({ ok: 20, unauthorized: 20 }, { ok: 40 });
    expect(await look()).toBe('stopped');
  });

  it('settles what can be settled, and judges on while it cannot', async () => {
    await enter({ phase: 'drain' }, false);
    await database.query(
      `INSERT INTO instance (id, role, started_at, lease_until, acked) VALUES ('stale', 'auth', 0, wherry_now() + 1000000, '{"rollout": -1}')`,
    );
    await seen({ renewed: 4000, renewalFailed: 400 });
    expect(await look()).toBe('stopped');
    await seen({ renewed: 40, renewalFailed: 40 });
    expect(await look()).toBe('rolled_back');
    expect(await readRollout(database)).toMatchObject({ phase: 'preferred' });
    await enter({ phase: 'drain' }, false);
    await database.query('TRUNCATE instance');
    expect(await look()).toBe('settled');
    await enter({ phase: 'stateful' }, false);
    expect(await look()).toBe('nothing');
    expect(await new RolloutGuard({ database, familiesAlive: () => Promise.resolve(true) }).look()).toBe('nothing');
    expect(await new RolloutGuard({ database, familiesAlive: () => Promise.resolve(false) }).look()).toBe('settled');
    expect(await readRollout(database)).toMatchObject({ phase: 'stateful', settled: true });
  });

  it('waits with a step that narrows until every live instance acts on the present state', async () => {
    await enter({ phase: 'dual' });
    await database.query(
      `INSERT INTO instance (id, role, started_at, lease_until, acked) VALUES ('stale', 'auth', 0, wherry_now() + 1000000, '{"rollout": -1}')`,
    );
    await seen({}, {}, { renewed: 4000, renewalFailed: 400 });
    expect(await look()).toBe('stopped');
    await seen({}, {}, { renewed: 40, renewalFailed: 40 });
    expect(await look()).toBe('waiting');
    await database.query(`UPDATE instance SET lease_until = 0`);
    expect(await look()).toBe('rolled_back');
  });

  it('looks by itself until it is stopped, and forgets old figures', async () => {
    await seen({ ok: 4000, unauthorized: 200 }, { ok: 4000 });
    await database.query(
      `INSERT INTO rollout_sample SELECT 'old', number, arm, course, 0, ok, unauthorized, unavailable, renewed, renewal_failed, compared, differed, signed_out, latency FROM rollout_sample`,
    );
    const guard = new RolloutGuard({ database, everyMs: 5 });
    await guard.run();
    await expect.poll(async () => (await readRollout(database)).paused?.by).toBe('guard');
    await expect.poll(async () => (await database.query(`SELECT FROM rollout_sample WHERE writer = 'old'`)).rowCount).toBe(0);
    await guard.stop();
  });

  it('of many instances lets one look at a time, also after the clock of the database went back', async () => {
    await database.query('UPDATE rollout_guard SET next_at = 0');
    let looked = 0;
    // Counts the reading with which each look begins.
    const counting = Object.create(database) as Database;
    counting.query = ((text: string, values?: unknown[]) => {
      if (text.includes('FROM rollout WHERE')) looked++;
      return database.query(text, values);
    }) as Database['query'];
    const guards = Array.from({ length: 5 }, () => new RolloutGuard({ database: counting, everyMs: 20 }));
    const begun = Date.now();
    await Promise.all(guards.map((guard) => guard.run()));
    await expect.poll(() => looked).toBeGreaterThan(5);
    await Promise.all(guards.map((guard) => guard.stop()));
    expect(looked).toBeLessThanOrEqual((Date.now() - begun) / 20 + 2);
    await database.query('UPDATE rollout_guard SET next_at = wherry_now() + 3600000');
    await seen({ ok: 4000, unauthorized: 200 }, { ok: 4000 });
    const guard = new RolloutGuard({ database, everyMs: 5 });
    await guard.run();
    await expect.poll(async () => (await readRollout(database)).paused?.by).toBe('guard');
    await guard.stop();
  });
});
