import fc from 'fast-check';
import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { cohortList, listInCohort, unlistFromCohort } from './cohort-list.ts';
import { moveRollout } from './commands.ts';
import { rolloutHistory } from './history.ts';
import { pauseRollout } from './pause.ts';
import { RolloutState } from './rollout-state.ts';
import { readRollout, rolloutSchema } from './rollout.ts';
import { changeRolloutSettings, type RolloutSettings } from './settings.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.query('TRUNCATE audit, rollout_list');
  await database.query(`UPDATE rollout SET phase = 'led', percent = 0, settled = true, paused = NULL, hold_out = 1`);
});

const act = { actor: 'ada' } as const;

describe('the lists', () => {
  it('change once, and leave one entry in the log for it', async () => {
    const alice = { kind: 'user', value: 'alice' } as const;
    const { version, seq } = await readRollout(database);
    const many = await Promise.all(Array.from({ length: 6 }, () => listInCohort(database, { ...alice, arm: 'include' }, act)));
    expect(many.filter(Boolean)).toHaveLength(1);
    expect(await listInCohort(database, { ...alice, arm: 'exclude' }, { actor: 'bob', reason: 'asked for it' })).toBe(true);
    expect(await cohortList(database)).toEqual([{ ...alice, arm: 'exclude' }]);
    expect(await unlistFromCohort(database, alice, act)).toBe(true);
    expect(await unlistFromCohort(database, alice, act)).toBe(false);
    const after = await readRollout(database);
    expect([after.version, after.seq]).toEqual([version, seq + 3n]);
    expect((await rolloutHistory(database)).map(({ actor, details }) => [actor, details['list']])).toEqual([
      ['ada', { ...alice, arm: null }],
      ['bob', { ...alice, arm: 'exclude' }],
      ['ada', { ...alice, arm: 'include' }],
    ]);
  });

  it('hold any id as it is, and refuse what is none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }), async (value) => {
        const listed = listInCohort(database, { kind: 'user', value, arm: 'include' }, act);
        if (value.includes('\0')) {
          await expect(listed).rejects.toMatchObject({ code: 'bad_request' });
          return;
        }
        expect(await listed).toBe(true);
        const state = new RolloutState({ database });
        await state.load();
        expect(state.policyFor(value).arm).toBe('cohort');
        expect(await unlistFromCohort(database, { kind: 'user', value }, act)).toBe(true);
      }),
      { numRuns: 50, examples: [[`'; DROP TABLE rollout; --`], ['__proto__'], ['"'], ['\\u0000'], ['\u0000']] },
    );
    for (const value of ['', 'x'.repeat(257), '\ud800'])
      await expect(listInCohort(database, { kind: 'client', value, arm: 'include' }, act)).rejects.toMatchObject({ code: 'bad_request' });
    expect(await cohortList(database)).toEqual([]);
  });

  it('are bounded: every instance holds them in memory', async () => {
    await database.query(`INSERT INTO rollout_list SELECT 'user', 'u' || n, 'include' FROM generate_series(1, 10000) n`);
    await expect(listInCohort(database, { kind: 'user', value: 'one more', arm: 'include' }, act)).rejects.toMatchObject({
      code: 'bad_request',
    });
    expect(await listInCohort(database, { kind: 'user', value: 'u17', arm: 'exclude' }, act)).toBe(true);
    expect(await unlistFromCohort(database, { kind: 'user', value: 'u18' }, act)).toBe(true);
    expect(await listInCohort(database, { kind: 'user', value: 'one more', arm: 'include' }, act)).toBe(true);
    expect(await cohortList(database)).toHaveLength(10_000);
  });
});

describe('settings', () => {
  it.each<RolloutSettings>([
    {},
    { holdOut: 50.01 },
    { holdOut: -1 },
    { holdOut: 0.001 },
    { holdOut: Number.NaN },
    { quietMs: -1 },
    { quietMs: 0.5 },
    { quietMs: Infinity },
    { limits: { confidence: Infinity } },
  ])('refuse %j and change nothing', async (settings) => {
    const before = await readRollout(database);
    await expect(changeRolloutSettings(database, settings, act)).rejects.toMatchObject({ code: 'bad_request' });
    expect(await readRollout(database)).toEqual(before);
  });

  it('begin a new course with another hold-out only, whose users are then compared with', async () => {
    const { course } = await readRollout(database);
    expect(await changeRolloutSettings(database, { quietMs: 0, limits: { shadow: 0.1 } }, act)).toMatchObject({
      course,
      limits: { shadow: 0.1 },
    });
    expect(await changeRolloutSettings(database, { limits: { renewal: 0.2 } }, act)).toMatchObject({
      limits: { shadow: 0.1, renewal: 0.2 },
    });
    const changed = await changeRolloutSettings(database, { holdOut: 50 }, act);
    expect(changed.course).toBe(changed.version);
    const state = new RolloutState({ database });
    await state.load();
    const held = Array.from({ length: 400 }, (_, n) => state.policyFor(`user ${n}`).arm).filter((arm) => arm === 'control').length;
    expect(held).toBeGreaterThan(100);
    expect(held).toBeLessThan(300);
  });
});

describe('who acts, and why', () => {
  it.each([{ actor: 'a\0b' }, { actor: '\udc00' }, { actor: 'ada', reason: 'x'.repeat(4001) }])(
    'is text, or nothing happens: %j',
    async (who) => {
      const { version } = await readRollout(database);
      await expect(moveRollout(database, { command: 'rollback' }, { ...who, expectedVersion: version })).rejects.toMatchObject({
        code: 'bad_request',
      });
      await expect(pauseRollout(database, who)).rejects.toMatchObject({ code: 'bad_request' });
      await expect(listInCohort(database, { kind: 'user', value: 'u', arm: 'include' }, who)).rejects.toMatchObject({
        code: 'bad_request',
      });
      expect((await readRollout(database)).version).toBe(version);
    },
  );
});
