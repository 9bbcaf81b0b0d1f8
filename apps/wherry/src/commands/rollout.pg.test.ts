import { Instance, applySchema, coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { RolloutState, readRollout, rolloutSchema } from '@wherry/rollout';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { run, type Run } from '../testing/recording-terminal.ts';

let home: TestDatabase;
let database: Database;
beforeAll(async () => {
  home = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: home.url, statementMs: PATIENT_MS });
});
afterAll(async () => {
  await database.end();
  await home.drop();
});

const wherry = (line: string): Promise<Run> => run(`rollout ${line}`, { WHERRY_CONTROL_URL: home.url, USER: 'ada' });
const out = async (line: string): Promise<string[]> => {
  const { code, out: text, err } = await wherry(line);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return text.split('\n').map((part) => part.replaceAll(/ +/g, ' '));
};

describe('wherry rollout', () => {
  it('says that nothing has been set up, rather than what PostgreSQL says', async () => {
    expect(await wherry('status')).toEqual({
      code: 1,
      out: '',
      err: 'wherry: the control database has no tables yet: no service has been started on it',
    });
  });

  it('goes all the way there and back', async () => {
    await applySchema(database, [coreSchema, rolloutSchema]);
    expect((await out('status')).slice(0, 2)).toEqual(['phase stateful', 'version 1']);
    expect(await out('history')).toEqual(['nothing has been moved yet']);
    expect((await out('advance --reason trial')).slice(0, 3)).toEqual(['stateful -> dual', 'phase dual', 'version 2']);
    expect((await out('advance --percent 12.5 --expect-version 2')).slice(0, 2)).toEqual(['dual -> led 12.5 %', 'phase led 12.5 %']);
    expect((await out('set-percent 50 --actor grace'))[0]).toBe('led 12.5 % -> led 50 %');
    expect((await out('rollback'))[0]).toBe('led 50 % -> dual');
    expect((await out('rollback'))[0]).toBe('dual -> stateful');
    const moves = (await out('history')).map((line) => line.slice('2026-01-01T00:00:00.000Z '.length));
    expect(moves).toEqual([
      'dual -> stateful ada',
      'led 50 % -> dual ada',
      'led 12.5 % -> led 50 % grace',
      'dual -> led 12.5 % ada',
      'stateful -> dual ada: trial',
    ]);
    expect(await out('history --limit 1')).toHaveLength(1);
    expect(JSON.parse((await out('history --json')).join(''))).toHaveLength(5);
  });

  it('refuses what is not possible with one line and exit code 1', async () => {
    expect(await wherry('rollback')).toEqual({ code: 1, out: '', err: 'wherry: there is no phase before stateful' });
    expect(await wherry('set-percent 5')).toMatchObject({
      code: 1,
      err: 'wherry: a percentage can be set in the phase led only; the phase is stateful',
    });
    expect(await wherry('advance --percent 5')).toMatchObject({ code: 1, err: 'wherry: the next phase is dual, which has no percentage' });
    expect((await wherry('advance --expect-version 1')).err).toMatch(/^wherry: the rollout is at version \d+, not 1: somebody moved it$/);
    const wrong = new URL(home.url);
    wrong.pathname = '/nonesuch';
    expect((await run('rollout status', { WHERRY_CONTROL_URL: wrong.href })).err).toMatch(/^wherry: the database refused \(3D000\): /);
  });

  it('tells whether the instances act on it', async () => {
    expect((await out('status')).at(-1)).toBe('instances no instance follows it');
    let held: { readonly promise: Promise<void>; resolve(): void } | undefined;
    const state = new RolloutState({ database });
    const topic = { topic: state.topic, load: () => state.load(), acting: () => held?.promise ?? Promise.resolve() };
    const instance = new Instance({ database, role: 'test', topics: [topic], renewMs: 100, leaseMs: 3_600_000 });
    await instance.run();
    try {
      expect(await instance.acknowledged('rollout', state.rollout.seq, PATIENT_MS)).toBe(true);
      expect((await out('status')).at(-1)).toBe('instances every live instance acts on it');
      held = Promise.withResolvers<void>();
      expect((await out('advance')).at(-1)).toBe('instances not every live instance acts on it yet');
      expect(JSON.parse((await out('status --json')).join(''))).toMatchObject({ phase: 'dual', acknowledged: false });
      held.resolve();
      expect(await instance.acknowledged('rollout', (await readRollout(database)).seq, PATIENT_MS)).toBe(true);
      expect(JSON.parse((await out('status --json')).join(''))).toMatchObject({ phase: 'dual', acknowledged: true });
    } finally {
      held?.resolve();
      await instance.stop();
    }
  });
});
