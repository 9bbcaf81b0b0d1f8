import { Instance, applySchema, coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { RolloutState, readRollout, rolloutSchema } from '@wherry/rollout';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { run, type Run } from '../testing/recording-terminal.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'));
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());

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

  it('holds and lets go, and lets nothing widen meanwhile', async () => {
    await out('advance');
    expect(await out('pause --reason holiday')).toContainEqual(expect.stringMatching(/^held by ada \S+Z: holiday$/));
    expect(await wherry('advance')).toMatchObject({ code: 1, err: 'wherry: the rollout is held by ada: resume it first' });
    expect(await wherry('pause')).toMatchObject({ code: 1, err: 'wherry: the rollout is held by ada already' });
    expect((await out('resume --actor bob')).join('\n')).not.toContain('held');
    expect((await out('history --limit 2')).map((line) => line.slice('2026-01-01T00:00:00.000Z '.length))).toEqual([
      'resume in dual bob',
      'pause in dual ada: holiday',
    ]);
  });

  it('lists users and clients', async () => {
    expect(await out('cohort list')).toEqual(['there are none']);
    expect(await out('cohort include user 17 --reason tester')).toEqual(['user 17 is included']);
    expect(await out('cohort include user 17')).toEqual(['user 17 is included already']);
    expect(await out('cohort exclude client kiosk')).toEqual(['client kiosk is excluded']);
    expect(await out('cohort list')).toEqual(['exclude client kiosk', 'include user 17']);
    expect(await out('status')).toContain('hold-out 1 %; listed: 1 included, 1 excluded');
    expect(await out('cohort remove user 17')).toEqual(['user 17 is in no list any more']);
    expect(await out('cohort remove user 17')).toEqual(['user 17 is in no list']);
    expect((await out('history --limit 1'))[0]).toMatch(/ list in dual remove user 17 ada$/);
    expect((await wherry('cohort include group x')).code).toBe(2);
    expect(await wherry(`cohort include user ${'x'.repeat(257)}`)).toMatchObject({ code: 1 });
  });

  it('changes settings, and says which there are', async () => {
    const changed = await out('settings --hold-out 5 --quiet-days 2 --limit unauthorizedSample=50 --limit confidence=2');
    expect(changed).toContain('hold-out 5 %; listed: 0 included, 1 excluded');
    expect(changed).toContain('quiet time 2 days');
    expect(changed).toContain('guardrail 401 rate of the cohort less the control: no verdict, 0 against 0 of 50 seen');
    expect((await wherry('settings --limit nonesuch=1')).err).toMatch(/^wherry: there is no limit named nonesuch; there are confidence, /);
    expect((await wherry('settings --limit shadow=-1')).code).toBe(2);
    expect(await wherry('settings --hold-out 51')).toMatchObject({ code: 1 });
  });

  it('goes to drain and no further without a proof', async () => {
    await out('advance --percent 100');
    await out('advance');
    expect((await out('advance'))[1]).toMatch(/^phase drain \(not settled: no session token is refused until /);
    expect((await wherry('advance')).err).toBe(
      'wherry: it is not proved that session tokens are out of use: the phase drain has not settled',
    );
    expect((await out('settle'))[1]).toBe('phase drain');
    expect((await wherry('settle')).err).toBe('wherry: the phase drain is settled already');
    expect((await wherry('advance')).err).toBe(
      'wherry: it is not proved that session tokens are out of use: their use has not been observed for one whole session life',
    );
    for (const phase of ['preferred', 'led 100 %', 'dual']) expect((await out('rollback'))[0]).toMatch(new RegExp(`-> ${phase}$`));
    expect((await out('rollback'))[1]).toMatch(/^phase stateful \(not settled: renewals begun in later phases still live/);
    expect((await wherry('settle')).err).toBe(
      'wherry: it is not known here whether a family of renewals lives; the guard of a service knows',
    );
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
      expect((await out('advance')).at(-1)).toBe(`instances not every live instance acts on it yet: test ${instance.id}`);
      expect(JSON.parse((await out('status --json')).join(''))).toMatchObject({
        phase: 'dual',
        acknowledged: false,
        behind: [{ instance: instance.id, role: 'test' }],
      });
      held.resolve();
      expect(await instance.acknowledged('rollout', (await readRollout(database)).seq, PATIENT_MS)).toBe(true);
      expect(JSON.parse((await out('status --json')).join(''))).toMatchObject({ phase: 'dual', acknowledged: true });
    } finally {
      held?.resolve();
      await instance.stop();
    }
  });
});
