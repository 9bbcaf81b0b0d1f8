import { Instance, coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { rolloutFollowers } from './acknowledgement.ts';
import { listInCohort } from './cohort-list.ts';
import { moveRollout } from './commands.ts';
import { rolloutHistory } from './history.ts';
import { pauseRollout, resumeRollout } from './pause.ts';
import type { RolloutCommand } from './phase.ts';
import type { RetireEvidence } from './retire.ts';
import { RolloutState } from './rollout-state.ts';
import { readRollout, rolloutSchema, type Rollout } from './rollout.ts';
import { changeRolloutSettings } from './settings.ts';
import { settleRollout, type FamiliesAlive } from './settle.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());

/** A follower that can be held: it has loaded what is new, and something older is still under way. */
interface Follower {
  readonly instance: Instance;
  readonly state: RolloutState;
  hold(): void;
  release(): void;
  /** As after kill -9: the lease runs out. */
  lapse(): Promise<void>;
}
const followers: Follower[] = [];
afterEach(async () => {
  for (const follower of followers) follower.release();
  await Promise.all(followers.splice(0).map(({ instance }) => instance.stop()));
});
beforeEach(async () => {
  await database.query('TRUNCATE audit, instance, rollout_list');
  await database.query(
    `UPDATE rollout SET version = version + 1, phase = 'stateful', percent = NULL, settled = true, retreating = false, paused = NULL, quiet_ms = 1000`,
  );
});

async function follow(role = 'test'): Promise<Follower> {
  let held: { readonly promise: Promise<void>; resolve(): void } | undefined;
  const state = new RolloutState({ database, leaseValid: () => instance.leaseValid });
  const topic = { topic: state.topic, load: () => state.load(), acting: () => held?.promise ?? Promise.resolve() };
  const instance = new Instance({ database, role, topics: [topic], renewMs: 100, leaseMs: 3_600_000 });
  await instance.run();
  const follower = {
    instance,
    state,
    hold: () => {
      held ??= Promise.withResolvers<void>();
    },
    release: () => held?.resolve(),
    lapse: async () => {
      await instance.stop({ clean: false });
      await database.query(`UPDATE instance SET lease_until = 0 WHERE id = $1`, [instance.id]);
    },
  };
  followers.push(follower);
  return follower;
}

async function move(command: RolloutCommand['command'], percent?: number): Promise<Rollout> {
  const { version } = await readRollout(database);
  const asked = (percent === undefined ? { command } : { command, percent }) as RolloutCommand;
  return moveRollout(database, asked, { expectedVersion: version, actor: 'ada' });
}
async function settle(familiesAlive?: FamiliesAlive): Promise<Rollout> {
  const { version } = await readRollout(database);
  return settleRollout(database, { expectedVersion: version, actor: 'ada' }, familiesAlive);
}
const acknowledged = async ({ instance }: Follower): Promise<boolean> =>
  instance.acknowledged('rollout', (await readRollout(database)).seq, PATIENT_MS);
async function toPreferred(): Promise<void> {
  await move('advance');
  await move('advance', 100);
  await move('advance');
}

describe('a narrowing step', () => {
  it('into drain waits for a stale instance, and refuses session tokens only when all have ceased to give them out', async () => {
    await toPreferred();
    const [one, stale] = [await follow('gateway'), await follow('auth')];
    expect(await acknowledged(one)).toBe(true);
    stale.hold();
    await pauseRollout(database, { actor: 'ada' });
    await resumeRollout(database, { actor: 'ada' });
    // What is new was loaded by both, and something older is still under way at one.
    await expect(move('advance')).rejects.toMatchObject({
      code: 'rollout_unacknowledged',
      message: expect.stringContaining(`auth ${stale.instance.id}`),
    });
    const { seq } = await readRollout(database);
    await expect.poll(async () => (await rolloutFollowers(database, seq)).behind).toMatchObject([{ role: 'auth' }]);
    stale.release();
    expect(await acknowledged(one)).toBe(true);

    const drain = await move('advance');
    expect(drain).toMatchObject({ phase: 'drain', settled: false });
    expect(await acknowledged(one)).toBe(true);
    expect(one.state.policyFor('u')).toMatchObject({ issueSessions: false, minimum: 'preferred' });
    expect(await settle()).toMatchObject({ phase: 'drain', settled: true });
    expect(await acknowledged(one)).toBe(true);
    expect(one.state.policyFor('u')).toMatchObject({ issueSessions: false, minimum: 'only', acceptSessions: true });
    await expect(settle()).rejects.toMatchObject({ code: 'rollout_move_invalid' });
  });

  it('does not settle while one instance may still give out session tokens, and does when its lease has ended', async () => {
    await toPreferred();
    const [one, stale] = [await follow(), await follow()];
    expect(await acknowledged(one)).toBe(true);
    stale.hold();
    await move('advance');
    await expect(settle()).rejects.toMatchObject({ code: 'rollout_unacknowledged' });
    await stale.lapse();
    await expect.poll(() => acknowledged(one)).toBe(true);
    expect(await settle()).toMatchObject({ settled: true });
  });

  it('counts an instance that has registered and loaded nothing yet as one that has not acknowledged', async () => {
    await toPreferred();
    await database.query(
      `INSERT INTO instance (id, role, started_at, lease_until, acked) VALUES ('new', 'auth', 0, wherry_now() + 1000000, '{"rollout": 0}')`,
    );
    await expect(move('advance')).rejects.toMatchObject({ code: 'rollout_unacknowledged' });
    await database.query(`UPDATE instance SET acked = '{"keys": 5}'`);
    // It does not follow the rollout: what it acts on is no concern of it.
    expect(await move('advance')).toMatchObject({ phase: 'drain' });
  });

  it('back to stateful waits as well, and no other way back does', async () => {
    await toPreferred();
    await move('advance');
    const stale = await follow();
    expect(await acknowledged(stale)).toBe(true);
    stale.hold();
    expect(await move('rollback')).toMatchObject({ phase: 'preferred', retreating: true, settled: true });
    expect(await move('rollback')).toMatchObject({ phase: 'led', percent: 100, retreating: true });
    expect(await move('rollback')).toMatchObject({ phase: 'dual', retreating: true });
    await expect(move('rollback')).rejects.toMatchObject({ code: 'rollout_unacknowledged' });
    stale.release();
    expect(await acknowledged(stale)).toBe(true);
    expect(await move('rollback')).toMatchObject({ phase: 'stateful', settled: false, retreating: true });
  });

  it('reaches stateful when no family lives, asked for after the acknowledgements', async () => {
    await move('advance');
    const stale = await follow();
    expect(await acknowledged(stale)).toBe(true);
    stale.hold();
    await move('rollback');
    let asked = 0;
    const alive = (lives: boolean) => async (): Promise<boolean> => {
      asked++;
      return lives;
    };
    await expect(settle(alive(false))).rejects.toMatchObject({ code: 'rollout_unacknowledged' });
    expect(asked).toBe(0);
    stale.release();
    expect(await acknowledged(stale)).toBe(true);
    await expect(settle(alive(true))).rejects.toMatchObject({ code: 'rollout_families_alive' });
    await expect(settle()).rejects.toMatchObject({ code: 'rollout_families_alive' });
    await expect(settle(() => Promise.reject(new Error('a shard is away')))).rejects.toThrow('a shard is away');
    expect(stale.state.policyFor('u')).toMatchObject({ issueJwts: false, renewalMintsSession: true, acceptJwts: true });
    expect(await settle(alive(false))).toMatchObject({ phase: 'stateful', settled: true, retreating: false });
  });

  it('does not settle what was moved while families were asked for', async () => {
    await move('advance');
    await move('rollback');
    await expect(
      settle(async () => {
        await move('advance');
        return false;
      }),
    ).rejects.toMatchObject({ code: 'conflict' });
    expect(await readRollout(database)).toMatchObject({ phase: 'dual', settled: true, retreating: false });
  });

  it('by less patience waits in drain, and more patience never waits', async () => {
    await toPreferred();
    await move('advance');
    await settle();
    const stale = await follow();
    expect(await acknowledged(stale)).toBe(true);
    stale.hold();
    await changeRolloutSettings(database, { quietMs: 2000 }, { actor: 'ada' });
    await expect(changeRolloutSettings(database, { quietMs: 500 }, { actor: 'ada' })).rejects.toMatchObject({
      code: 'rollout_unacknowledged',
    });
    await changeRolloutSettings(database, { quietMs: 3000 }, { actor: 'ada' });
  });
});

describe('an instance without its lease', () => {
  it('accepts what any phase accepts and gives out no session tokens', async () => {
    await toPreferred();
    await move('advance');
    await settle();
    let lease = true;
    const state = new RolloutState({ database, leaseValid: () => lease });
    await state.load();
    expect(state.policyFor('u')).toMatchObject({ minimum: 'only' });
    lease = false;
    expect(state.policyFor('u')).toMatchObject({ acceptSessions: true, minimum: 'any', issueSessions: false, issueJwts: true });
  });
});

describe('a pause', () => {
  it('keeps every move from widening, lets every move go back, and is lifted by hand', async () => {
    await move('advance');
    await move('advance', 10);
    const paused = await pauseRollout(database, { actor: 'ada', reason: 'look' });
    expect(paused).toMatchObject({ paused: { by: 'operator', actor: 'ada', reason: 'look', guardrails: [] } });
    expect(paused.paused?.at).toBeGreaterThan(1_600_000_000_000);
    await expect(pauseRollout(database, { actor: 'bob' })).rejects.toMatchObject({ code: 'rollout_paused' });
    await expect(move('set-percent', 11)).rejects.toMatchObject({ code: 'rollout_paused', message: expect.stringContaining('ada') });
    expect(await move('set-percent', 5)).toMatchObject({ percent: 5, paused: { actor: 'ada', at: paused.paused?.at } });
    expect(await move('rollback')).toMatchObject({ phase: 'dual' });
    await expect(move('advance')).rejects.toMatchObject({ code: 'rollout_paused' });
    expect(await resumeRollout(database, { actor: 'bob', reason: 'seen' })).toMatchObject({ paused: null });
    await expect(resumeRollout(database, { actor: 'bob' })).rejects.toMatchObject({ code: 'rollout_move_invalid' });
    expect(await move('advance', 1)).toMatchObject({ phase: 'led', retreating: false });
    expect((await rolloutHistory(database)).map(({ action, actor }) => `${action} ${actor}`)).toEqual([
      'rollout.advance ada',
      'rollout.resume bob',
      'rollout.rollback ada',
      'rollout.set-percent ada',
      'rollout.pause ada',
      'rollout.advance ada',
      'rollout.advance ada',
    ]);
  });

  it('keeps drain from settling, not the way back to stateful', async () => {
    await toPreferred();
    await move('advance');
    await pauseRollout(database, { actor: 'ada' });
    await expect(settle()).rejects.toMatchObject({ code: 'rollout_paused' });
    for (let back = 0; back < 4; back++) await move('rollback');
    expect(await settle(() => Promise.resolve(false))).toMatchObject({ phase: 'stateful', settled: true });
  });
});

describe('the move into retired', () => {
  const DAY = 24 * 3600 * 1000;
  async function toDrain(settledAt: number): Promise<void> {
    await toPreferred();
    await move('advance');
    await settle();
    await database.query('UPDATE rollout SET changed_at = wherry_now() - $1', [settledAt]);
  }
  async function retire(evidence: Partial<RetireEvidence>): Promise<Rollout> {
    const { rows } = await database.query<{ now: bigint }>('SELECT wherry_now() AS now');
    const now = Number(rows[0]?.now);
    const { version } = await readRollout(database);
    const whole = { lastSessionUse: null, observedSince: now - 2 * DAY, observedUntil: now, silent: [], ...evidence };
    const proof = { absoluteMs: DAY, evidence: () => Promise.resolve(whole) };
    return moveRollout(database, { command: 'advance' }, { expectedVersion: version, actor: 'ada' }, proof);
  }

  it('is refused without a proof, and leaves no trace', async () => {
    await toPreferred();
    await move('advance');
    await expect(retire({})).rejects.toMatchObject({ code: 'retire_unproved', message: expect.stringContaining('not settled') });
    await settle();
    await expect(move('advance')).rejects.toMatchObject({ code: 'retire_unproved', message: expect.stringContaining('no report') });
    // Settled a moment ago: until then somebody could be given a session token that he has not used yet.
    await expect(retire({})).rejects.toMatchObject({ code: 'retire_unproved', data: { reason: 'used_recently' } });
    expect(await readRollout(database)).toMatchObject({ phase: 'drain' });
    expect((await rolloutHistory(database))[0]?.action).toBe('rollout.settle');
  });

  it('is refused on a proof with a gap, and made on one without, with the evidence in the log', async () => {
    await toDrain(2 * DAY);
    const now = Date.now();
    await expect(retire({ lastSessionUse: now - DAY / 2 })).rejects.toMatchObject({
      data: { reason: 'used_recently', notBefore: now + DAY / 2 },
    });
    await expect(retire({ observedSince: now - DAY / 2 })).rejects.toMatchObject({ data: { reason: 'observed_too_short' } });
    await expect(retire({ silent: ['gateway 7'] })).rejects.toMatchObject({ data: { reason: 'instances_silent' } });
    await expect(retire({ observedSince: now - DAY, observedUntil: now - 1 })).rejects.toMatchObject({
      data: { reason: 'observed_too_short' },
    });
    await expect(retire({ observedSince: null })).rejects.toMatchObject({ data: { reason: 'observed_too_short', notBefore: null } });
    const stale = await follow();
    stale.hold();
    await changeRolloutSettings(database, { quietMs: 2000 }, { actor: 'ada' });
    await expect(retire({})).rejects.toMatchObject({ code: 'rollout_unacknowledged' });
    stale.release();
    expect(await acknowledged(stale)).toBe(true);
    expect(await retire({ lastSessionUse: now - 1.5 * DAY })).toMatchObject({ phase: 'retired', settled: true });
    expect((await rolloutHistory(database, 1))[0]).toMatchObject({
      to: { phase: 'retired' },
      details: { evidence: { silent: [] } },
    });
    await expect(move('rollback')).rejects.toMatchObject({ data: { refusal: 'retired_is_final' } });
  });
});

describe('RolloutState and the lists', () => {
  it('follows them by the same number as the phase, and keeps users where they are', async () => {
    await move('advance');
    await move('advance', 0);
    const one = await follow();
    const { version } = one.state.rollout;
    expect(one.state.policyFor('alice', 'app').arm).not.toBe('cohort');
    expect(await listInCohort(database, { kind: 'user', value: 'alice', arm: 'include' }, { actor: 'ada' })).toBe(true);
    expect(await acknowledged(one)).toBe(true);
    expect(one.state.policyFor('alice', 'app')).toMatchObject({ arm: 'cohort', leadToJwt: true });
    expect(one.state.rollout.version).toBe(version);
    await listInCohort(database, { kind: 'client', value: 'app', arm: 'exclude' }, { actor: 'ada' });
    await listInCohort(database, { kind: 'user', value: 'alice', arm: 'exclude' }, { actor: 'ada' });
    expect(await acknowledged(one)).toBe(true);
    expect(one.state.policyFor('alice').arm).toBe('outside');
    expect(one.state.policyFor('bob', 'app').arm).toBe('outside');
  });
});
