import { isWherryError } from '@wherry/core';
import { Instance, coreSchema, leastAcknowledged, openDatabase, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { advance, moveRollout, rollback, setPercent } from './commands.ts';
import { rolloutHistory } from './history.ts';
import type { RolloutPhase } from './phase.ts';
import { policyFor } from './policy.ts';
import { RolloutState } from './rollout-state.ts';
import { readRollout, rolloutSchema } from './rollout.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.query(`TRUNCATE audit`);
  await database.query(
    `UPDATE rollout SET version = 1, phase = 'stateful', percent = NULL, settled = true, retreating = false, hold_out = 0`,
  );
});

const actor = 'tester';
const phaseOf = (rollout: RolloutPhase): string => (rollout.phase === 'led' ? `led ${rollout.percent}` : rollout.phase);

describe('rollout commands', () => {
  it('go forward and back, and leave who, what and why behind', async () => {
    const { salt } = await readRollout(database);
    expect(salt.length).toBeGreaterThanOrEqual(64);
    const steps = [
      await advance(database, { expectedVersion: 1, actor, reason: 'begin' }),
      await advance(database, { expectedVersion: 2, actor }, 10),
      await setPercent(database, { expectedVersion: 3, actor }, 0.29),
      await rollback(database, { expectedVersion: 4, actor, reason: 'too many 401' }),
      await rollback(database, { expectedVersion: 5, actor }),
    ];
    expect(steps.map(phaseOf)).toEqual(['dual', 'led 10', 'led 0.29', 'dual', 'stateful']);
    expect(steps.map(({ version }) => version)).toEqual([2, 3, 4, 5, 6]);
    expect(new Set(steps.map((step) => step.salt))).toEqual(new Set([salt]));
    expect(steps.every(({ seq }, at) => at === 0 || seq > (steps[at - 1]?.seq ?? 0n))).toBe(true);
    expect(await readRollout(database)).toEqual(steps.at(-1));
    const history = await rolloutHistory(database);
    expect(history.map(({ action, version }) => `${action} ${version}`)).toEqual([
      'rollout.rollback 6',
      'rollout.rollback 5',
      'rollout.set-percent 4',
      'rollout.advance 3',
      'rollout.advance 2',
    ]);
    expect(history[1]).toMatchObject({ actor, reason: 'too many 401', from: { phase: 'led', percent: 0.29 }, to: { phase: 'dual' } });
    expect(await rolloutHistory(database, 1)).toHaveLength(1);
  });

  it('let one of two operators win who saw the same version, and tell the other', async () => {
    for (let round = 0; round < 20; round++) {
      const { version, phase } = await readRollout(database);
      const command = phase === 'dual' ? ({ command: 'rollback' } as const) : ({ command: 'advance' } as const);
      const results = await Promise.allSettled(
        ['one', 'two', 'three'].map((name) => moveRollout(database, command, { expectedVersion: version, actor: name })),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) if (result.status === 'rejected') expect(isWherryError(result.reason, 'conflict')).toBe(true);
      expect((await readRollout(database)).version).toBe(version + 1);
    }
    // Each move once in the log: an operator who lost leaves no trace of a move that did not happen.
    expect(await rolloutHistory(database)).toHaveLength(20);
  });

  it('refuse what is no neighbour and change nothing', async () => {
    const before = await readRollout(database);
    await expect(rollback(database, { expectedVersion: 1, actor })).rejects.toMatchObject({
      code: 'rollout_move_invalid',
      status: 409,
      data: { refusal: 'no_phase_before', phase: 'stateful' },
    });
    await expect(setPercent(database, { expectedVersion: 1, actor }, 5)).rejects.toMatchObject({ code: 'rollout_move_invalid' });
    await expect(advance(database, { expectedVersion: 7, actor })).rejects.toMatchObject({ code: 'conflict', data: { version: 1 } });
    expect(await readRollout(database)).toEqual(before);
    expect(await rolloutHistory(database)).toEqual([]);
  });

  it('say control_unavailable when the database cannot be reached', async () => {
    const nowhere = openDatabase({ url: 'postgres://wherry@127.0.0.1:1/none' });
    try {
      await expect(readRollout(nowhere)).rejects.toMatchObject({ code: 'control_unavailable' });
      await expect(advance(nowhere, { expectedVersion: 1, actor })).rejects.toMatchObject({ code: 'control_unavailable' });
      await expect(rolloutHistory(nowhere)).rejects.toMatchObject({ code: 'control_unavailable' });
    } finally {
      await nowhere.end();
    }
  });

  it('keep a phase of a newer program from being taken for one of these', async () => {
    await expect(database.query(`UPDATE rollout SET phase = 'beyond'`)).rejects.toThrow('rollout_phase_check');
    await expect(database.query(`UPDATE rollout SET percent = 5`)).rejects.toThrow('rollout_check');
    await expect(database.query(`UPDATE rollout SET settled = false, phase = 'dual'`)).rejects.toThrow('rollout_settled_check');
  });
});

describe('RolloutState', () => {
  const instances: Instance[] = [];
  afterEach(async () => {
    await Promise.all(instances.splice(0).map((instance) => instance.stop()));
  });
  async function follow(): Promise<{ state: RolloutState; instance: Instance; seen: string[] }> {
    const seen: string[] = [];
    const state = new RolloutState({ database, onChange: (rollout) => seen.push(phaseOf(rollout)) });
    const instance = new Instance({ database, role: 'test', topics: [state], renewMs: 200, leaseMs: 3_600_000 });
    instances.push(instance);
    await instance.run();
    return { state, instance, seen };
  }

  it('knows the state before it is ready, and sees every instance agree on a move', async () => {
    expect(() => new RolloutState({ database }).policyFor('1')).toThrow(expect.objectContaining({ code: 'control_unavailable' }));
    const followers = [await follow(), await follow()];
    for (const { state } of followers) expect(state.policyFor('1')).toMatchObject({ issueJwts: false, acceptJwts: true });
    const dual = await advance(database, { expectedVersion: 1, actor });
    expect(await followers[0]?.instance.acknowledged('rollout', dual.seq, PATIENT_MS)).toBe(true);
    // Acknowledged means acting on it: no instance is behind any more.
    for (const { state } of followers) expect(state.rollout).toEqual(dual);
    const led = await advance(database, { expectedVersion: 2, actor }, 100);
    await vi.waitFor(() => {
      for (const { state } of followers) expect(state.rollout.version).toBe(led.version);
    });
    for (const { state, seen } of followers) {
      expect(state.policyFor('1').leadToJwt).toBe(true);
      expect(seen).toEqual(['stateful', 'dual', 'led 100']);
    }
  });

  it('does not acknowledge a state while something is given out by an older one', async () => {
    const { state, instance } = await follow();
    const login = Promise.withResolvers<string>();
    const issued = state.issuing(() => login.promise);
    const failed = state.issuing(() => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    const dual = await advance(database, { expectedVersion: 1, actor });
    await vi.waitFor(() => expect(state.rollout.version).toBe(dual.version));
    const acked = async (): Promise<bigint | undefined> => leastAcknowledged(database, 'rollout');
    instance.poke();
    expect(await acked()).toBeLessThan(dual.seq);
    login.resolve('given');
    expect(await issued).toBe('given');
    expect(await instance.acknowledged('rollout', dual.seq, PATIENT_MS)).toBe(true);
  });

  it('answers the same for more users than it remembers, and the same as what it goes by', async () => {
    await database.query(`UPDATE rollout SET phase = 'led', percent = 30, hold_out = 5`);
    const state = new RolloutState({ database });
    await state.load();
    const strays: string[] = [];
    for (let round = 0; round < 2; round++)
      for (let user = 0; user < 110_000; user += round === 0 ? 1 : 97)
        if (state.policyFor(`u${user}`).arm !== policyFor(state.rollout, `u${user}`).arm) strays.push(`u${user}`);
    expect(strays).toEqual([]);
  });

  it('keeps the last state while the database is away', async () => {
    const away = openDatabase({ url: home.url, statementMs: PATIENT_MS });
    const state = new RolloutState({ database: away });
    await state.load();
    await away.end();
    await expect(state.load()).rejects.toThrow();
    expect(state.rollout.phase).toBe('stateful');
  });
});
