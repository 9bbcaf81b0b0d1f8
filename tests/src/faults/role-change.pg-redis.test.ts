import { randomBytes } from 'node:crypto';
import { PATIENT_MS, openWay, type Severable } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import type { CarriedSessions, SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { REVOCATION_TOPIC } from '@wherry/revocation';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { startProcess, type TestProcess } from '../support/test-process.ts';
import { Hold } from './hold.ts';
import { roleValue, taken, tokenOf, type RoleToken } from './role-tokens.ts';
import { LIFE_MS } from './session-value.ts';

let bench: Workbench;
let source: SourceStore;
let link: Severable;
let one: TestProcess;
let two: TestProcess;
let ones: CarriedSessions;
let twos: CarriedSessions;
const holds: Hold[] = [];
/** The session of the test. */
let a: string;

async function setUp(side: 'source' | 'target'): Promise<void> {
  bench = await Workbench.create(inject('postgresUrl'));
  source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  link = await openWay(bench.controlUrl);
  one = await startProcess({ bench, role: 'writer', controlUrl: link.url });
  two = await startProcess({ bench, role: 'writer' });
  ones = one.carried(source);
  twos = two.carried(source);
  if (side === 'target') await bringTo('target');
}

async function tearDown(): Promise<void> {
  await one.leave();
  await two.leave();
  await link[Symbol.asyncDispose]();
  await bench.close();
  await source.close();
}

beforeEach(() => {
  a = randomBytes(8).toString('hex');
});
afterEach(() => {
  vi.restoreAllMocks();
  link.mend();
  for (const hold of holds.splice(0)) hold.release();
});

const save = async (sessions: CarriedSessions, rawId: string, ...roles: string[]): Promise<void> => {
  expect(await sessions.save(rawId, roleValue(1, roles), LIFE_MS)).toBe('saved');
};
/** Who takes it, once all have heard what has been ended: an acknowledgement waits for a second only, and a busy machine takes longer. */
const takenBy = async (token: RoleToken): Promise<boolean[]> => {
  await allHaveHeard();
  return [one, two].map(({ runtime }) => taken(runtime, token));
};
async function allHaveHeard(): Promise<void> {
  const { control, instance } = two.runtime;
  const { rows } = await control.query<{ seq: bigint }>('SELECT seq FROM feed_topic WHERE topic = $1', [REVOCATION_TOPIC]);
  if (rows[0] !== undefined) expect(await instance.acknowledged(REVOCATION_TOPIC, rows[0].seq, PATIENT_MS)).toBe(true);
}
const bounds = async (): Promise<number> => {
  const { rows } = await two.runtime.control.query<{ n: number }>(`SELECT count(*)::int AS n FROM revocation`);
  return rows[0]?.n ?? 0;
};

/** Brings every slot to the target, or back. */
async function bringTo(goal: 'target' | 'source', at: () => void = () => undefined): Promise<void> {
  const running = await bench.migrator(source, { graceMs: 200, at: async () => at() });
  await changeMigration(running.context.control, { goal, ...(goal === 'target' ? { goalPercent: 100 } : {}) }, { actor: 'test' });
  await running.migrator.atGoal();
  await running.end();
}

describe.each(['source', 'target'] as const)('while the %s is primary', (side) => {
  beforeAll(() => setUp(side));
  afterAll(tearDown);

  test('a token that is issued in the middle of a change does not outlive it', async () => {
    const hold = new Hold('save.change-begun');
    holds.push(hold);
    await save(ones, a, 'USER', 'ADMIN');
    const before = await tokenOf(twos, a);
    expect(await takenBy(before)).toEqual([true, true]);
    const changing = one.carried(source, hold.at).save(a, roleValue(1, ['USER']), LIFE_MS);
    await hold.reached;
    // Nothing is written yet, and whoever asks now is told what still is.
    expect(await takenBy(before)).toEqual([false, false]);
    const between = await tokenOf(twos, a);
    expect([between.roles, await takenBy(between)]).toEqual([
      ['USER', 'ADMIN'],
      [true, true],
    ]);
    hold.release();
    expect(await changing).toBe('saved');
    expect([await takenBy(before), await takenBy(between)]).toEqual([
      [false, false],
      [false, false],
    ]);
    const after = await tokenOf(twos, a);
    expect([after.roles, await takenBy(after)]).toEqual([['USER'], [true, true]]);
  });

  test('a slow request that knows the roles of before takes those away that came meanwhile, with their tokens', async () => {
    await save(ones, a, 'USER');
    const entered = new Hold('save.entered');
    holds.push(entered);
    const slow = one.carried(source, entered.at).save(a, roleValue(1, ['USER'], { cart: 1 }), LIFE_MS);
    await entered.reached;
    await save(twos, a, 'USER', 'ADMIN');
    const admin = await tokenOf(twos, a);
    expect(await takenBy(admin)).toEqual([true, true]);
    entered.release();
    expect(await slow).toBe('saved');
    expect(await takenBy(admin)).toEqual([false, false]);
    expect((await tokenOf(twos, a)).roles).toEqual(['USER']);
  });

  test('whatever many writers do at once, no token says more than the session that is left, and a new one holds', async () => {
    await save(ones, a, 'r0');
    const issued: RoleToken[] = [];
    let saving = true;
    const reading = (async () => {
      while (saving) issued.push(await tokenOf(twos, a));
    })();
    const roles = [['r0'], ['r1'], ['r0', 'r1'], ['r1', 'r0'], []];
    await Promise.all(
      [ones, twos, ones, twos].map(async (sessions, writer) => {
        for (let n = 0; n < 8; n++) await save(sessions, a, ...(roles[(writer * 3 + n * 7) % roles.length] ?? []));
      }),
    );
    saving = false;
    await reading;
    const last = await tokenOf(twos, a);
    expect(await takenBy(last)).toEqual([true, true]);
    const alive = issued.filter((token) => [one, two].some(({ runtime }) => taken(runtime, token)));
    for (const token of alive) expect(token.roles.every((role) => last.roles.includes(role))).toBe(true);
    expect(issued.length).toBeGreaterThan(alive.length);
  });

  test('a save that changes nobody costs nothing: one statement at each store, none in control', async () => {
    const b = `${a}-b`;
    await save(ones, a, 'USER', 'ADMIN');
    const before = await bounds();
    const [shards, stored, put] = [vi.spyOn(one.runtime.shards, 'queryArrays'), vi.spyOn(source, 'save'), vi.spyOn(source, 'put')];
    const control = vi.spyOn(one.runtime.control, 'query');
    const statements = (): number[] => [shards.mock.calls.length, stored.mock.calls.length + put.mock.calls.length];
    for (let n = 1; n <= 5; n++) {
      expect(await ones.save(a, roleValue(1, ['USER', 'ADMIN'], { n }), LIFE_MS)).toBe('saved');
      expect(statements()).toEqual([n, n]);
    }
    // In another order they are the same roles.
    await save(ones, a, 'ADMIN', 'USER');
    // A session of its own, from nobody to somebody: nobody can have had a token of it.
    expect(await ones.save(b, JSON.stringify({ cookie: {} }), LIFE_MS)).toBe('saved');
    await save(ones, b, 'USER');
    expect(control.mock.calls.filter(([query]) => /revocation|session_change/.test(JSON.stringify(query)))).toEqual([]);
    expect(await bounds()).toBe(before);
  });

  test('without control a loss is refused and nothing is written; a gain, a log-in and all else is saved', async () => {
    const [b, c] = [`${a}-b`, `${a}-c`];
    await save(ones, a, 'USER', 'ADMIN');
    await save(ones, b, 'USER');
    expect(await ones.save(c, JSON.stringify({ cookie: {} }), LIFE_MS)).toBe('saved');
    const before = await tokenOf(twos, a);
    link.sever();
    await expect(ones.save(a, roleValue(1, ['USER']), LIFE_MS)).rejects.toMatchObject({ code: 'control_unavailable' });
    expect([(await tokenOf(twos, a)).roles, taken(two.runtime, before)]).toEqual([['USER', 'ADMIN'], true]);
    expect(await ones.save(a, roleValue(1, ['USER', 'ADMIN'], { cart: 2 }), LIFE_MS)).toBe('saved');
    await save(ones, b, 'USER', 'ADMIN');
    await save(ones, c, 'USER');
    expect([(await tokenOf(twos, b)).roles, (await tokenOf(twos, c)).roles]).toEqual([['USER', 'ADMIN'], ['USER']]);
    link.mend();
    await vi.waitFor(() => save(ones, a, 'USER'));
    expect(await takenBy(before)).toEqual([false, false]);
  });

  test('a write that is lost on its way, or whose answer is, leaves no token that says more', async () => {
    for (const when of ['before', 'after'] as const) {
      const rawId = `${a}-${when}`;
      await save(ones, rawId, 'USER', 'ADMIN');
      const before = await tokenOf(twos, rawId);
      const hold = new Hold('save.change-begun');
      holds.push(hold);
      const changing = one.carried(source, hold.at).save(rawId, roleValue(1, ['USER']), LIFE_MS);
      const failed = changing.catch((error: unknown) => error);
      await hold.reached;
      one.faults.add({ point: side === 'source' ? 'source.save' : 'session-save', when });
      hold.release();
      expect(await failed).toMatchObject({ status: 503 });
      expect(await takenBy(before)).toEqual([false, false]);
      await save(ones, rawId, 'USER');
      const after = await tokenOf(twos, rawId);
      expect([after.roles, await takenBy(after)]).toEqual([['USER'], [true, true]]);
    }
  });
});

describe('over a session that an application has written which is not wrapped', () => {
  beforeAll(() => setUp('source'));
  afterAll(tearDown);

  test('the first save finds whose it was, once', async () => {
    await source.save(a, roleValue(1, ['USER', 'ADMIN']), LIFE_MS, 0);
    expect((await twos.carry(a)).state).toBe('live');
    const before = await tokenOf(twos, a);
    const stored = vi.spyOn(source, 'save');
    const bound = await bounds();
    await save(ones, a, 'ADMIN', 'USER');
    expect([stored.mock.calls.length, await bounds()]).toEqual([2, bound]);
    await save(ones, a, 'USER', 'ADMIN');
    expect([stored.mock.calls.length, await takenBy(before)]).toEqual([3, [true, true]]);
    // Behind our back, and noticed by the next save that says something else.
    await source.save(a, roleValue(1, ['USER', 'AUDITOR']), LIFE_MS, 1);
    const auditor = await tokenOf(twos, a);
    await save(ones, a, 'USER');
    expect([await takenBy(before), await takenBy(auditor)]).toEqual([
      [false, false],
      [false, false],
    ]);
  });

  test('what cannot be read as anybody is nobody, and who had the session before has lost his tokens', async () => {
    await save(ones, a, 'USER');
    const before = await tokenOf(twos, a);
    expect(await ones.save(a, JSON.stringify({ cookie: {}, user: { id: { no: 'id' } } }), LIFE_MS)).toBe('saved');
    expect(await takenBy(before)).toEqual([false, false]);
    await save(ones, a, 'USER');
    expect(await takenBy(before)).toEqual([false, false]);
    expect(await takenBy(await tokenOf(twos, a))).toEqual([true, true]);
  });
});

describe('while the slots change sides, there and back', () => {
  beforeAll(() => setUp('source'));
  afterAll(tearDown);

  test('roles that change leave no token that says more', async () => {
    const ids = Array.from({ length: 30 }, (_, n) => `s${n}`);
    const issued = new Map<string, RoleToken[]>(ids.map((id) => [id, []]));
    for (const id of ids) await save(ones, id, 'r0');
    // At every point of the migration's journal one change begins, unless some are under way; none is waited for there, for the slot may be closed.
    const changes = new Set<Promise<void>>();
    let begun = 0;
    const change = async (n: number): Promise<void> => {
      const id = ids[(n * 7) % ids.length] ?? '';
      const [writer, reader] = n % 2 === 0 ? [ones, twos] : [twos, ones];
      await save(writer, id, ...['r0', 'r1', 'r2'].slice(n % 3));
      issued.get(id)?.push(await tokenOf(reader, id));
    };
    const at = (): void => {
      if (changes.size >= 3) return;
      const one = change(begun++).finally(() => changes.delete(one));
      changes.add(one);
    };
    await bringTo('target', at);
    await bringTo('source', at);
    await Promise.all(changes);
    expect(begun).toBeGreaterThan(30);
    for (const id of ids) {
      const last = await tokenOf(twos, id);
      expect({ id, taken: await takenBy(last) }).toEqual({ id, taken: [true, true] });
      for (const token of issued.get(id) ?? []) {
        if ([one, two].some(({ runtime }) => taken(runtime, token)))
          expect({ id, ...token, extra: token.roles.filter((role) => !last.roles.includes(role)) }).toMatchObject({ extra: [] });
      }
    }
  });
});
