import { isWherryError } from '@wherry/core';
import { SlotMap, SnowflakeIds, slotOf } from '@wherry/shards';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '@wherry/shards/testing';
import { startAuthCluster } from './cluster.ts';
import { checkNameFree, register } from '../users/register.ts';
import { repairRegistrations, type RegistrationContext, type RegistrationStep } from '../users/repair.ts';
import { UserStore } from '../users/user-store.ts';
import { readUsername, type Username } from '../users/username.ts';

/** What holds of registrations and their repair on every dialect; `numRuns` orders of statements are tried. Control is on `controlServerUrl`, the shards are on `shardServerUrl`. */
export function registerSuite(controlServerUrl: () => string, shardServerUrl: () => string, numRuns: number): void {
  let cluster: Cluster;
  let ids: SnowflakeIds;
  let users: UserStore;
  let now = 1_000_000;
  let races = 0;
  beforeAll(async () => {
    cluster = await startAuthCluster(controlServerUrl(), 'source', shardServerUrl());
    ids = new SnowflakeIds({ control: cluster.control });
    await ids.run();
    const map = new SlotMap({ control: cluster.control });
    await map.refresh();
    users = new UserStore({ shards: cluster.shards, map });
  });
  afterAll(async () => {
    await ids.stop();
    await cluster[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    now = 1_000_000;
    await Promise.all(
      cluster.shards.all.map(async ({ database }) =>
        database.query('DELETE FROM app_user').then(async () => database.query('DELETE FROM username')),
      ),
    );
  });

  const GRACE = 60_000;
  const at = (step?: (step: RegistrationStep) => Promise<void>): RegistrationContext => ({
    users,
    now: () => now,
    graceMs: GRACE,
    ...(step === undefined ? {} : { at: step }),
  });
  const nameOf = (text: string): Username => readUsername(text) as Username;
  const attempt = async (context: RegistrationContext, text: string): Promise<bigint> => {
    const id = await ids.next();
    await register(context, { id, name: nameOf(text), passwordHash: '$argon2id$', authorities: ['user'] });
    return id;
  };
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => (isWherryError(error) ? error.code : String(error)),
    );
  const rows = async (): Promise<{ users: number; names: number }> => {
    const counts = await Promise.all(
      cluster.shards.all.map(async ({ database }) => {
        const { rows } = await database.query<{ u: bigint; n: bigint }>(
          'SELECT (SELECT count(*) FROM app_user) AS u, (SELECT count(*) FROM username) AS n',
        );
        return rows[0];
      }),
    );
    return { users: counts.reduce((sum, row) => sum + Number(row?.u), 0), names: counts.reduce((sum, row) => sum + Number(row?.n), 0) };
  };

  const CRASH = new Error('crash');
  const crashAt = (where: RegistrationStep) => async (step: RegistrationStep) => {
    if (step === where) throw CRASH;
  };

  describe('a registration', () => {
    it('makes a user whose name lies where its hash says, often on another shard', async () => {
      const made = await Promise.all(Array.from({ length: 40 }, async (_, i) => attempt(at(), `User-${i}`)));
      for (const [i, id] of made.entries()) {
        expect(await users.ownerOf(nameOf(`uSER-${i}`))).toBe(id);
        expect(await users.user(id)).toMatchObject({ id, username: `User-${i}`, state: 'active', authorities: ['user'] });
      }
      const shardOf = (slot: number): boolean => slot >= 8192;
      expect(made.some((id, i) => shardOf(slotOf(id)) !== shardOf(nameOf(`User-${i}`).key.slot))).toBe(true);
      expect(await rows()).toEqual({ users: 40, names: 40 });
    });

    it('has one winner among 50 who want one name at once, and leaves nothing of the others', async () => {
      const spellings = ['Ann', 'ann', 'ANN', 'Ａnn'];
      const outcomes = await Promise.all(Array.from({ length: 50 }, async (_, i) => codeOf(attempt(at(), spellings[i % 4] ?? ''))));
      expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'username_taken')).toHaveLength(49);
      expect(await rows()).toEqual({ users: 1, names: 1 });
      expect(await codeOf(checkNameFree(at(), nameOf('ANn')))).toBe('username_taken');
    });

    it.each<[RegistrationStep, 'active' | 'gone']>([
      ['register.begun', 'gone'],
      ['register.user-pending', 'gone'],
      ['register.name-claimed', 'gone'],
      ['register.user-active', 'active'],
    ])('that crashed at %s ends %s, and the name is not lost', async (step, end) => {
      await expect(attempt(at(crashAt(step)), 'carl')).rejects.toBe(CRASH);
      // Within the grace somebody may still be at it: nothing is undone.
      expect(await repairRegistrations(at())).toBe(0);
      now += GRACE + 1;
      await repairRegistrations(at());
      expect(await rows()).toEqual(end === 'active' ? { users: 1, names: 1 } : { users: 0, names: 0 });
      expect(await codeOf(attempt(at(), 'carl'))).toBe(end === 'active' ? 'username_taken' : 'done');
    });

    it('that was refused and crashed before it cleared up is cleared up', async () => {
      await attempt(at(), 'dora');
      await expect(attempt(at(crashAt('register.refused')), 'dora')).rejects.toBe(CRASH);
      expect(await rows()).toEqual({ users: 2, names: 1 });
      now += GRACE + 1;
      expect(await repairRegistrations(at())).toBe(1);
      expect(await rows()).toEqual({ users: 1, names: 1 });
    });

    it('frees an abandoned name at once for the next one who wants it', async () => {
      await expect(attempt(at(crashAt('register.name-claimed')), 'emil')).rejects.toBe(CRASH);
      expect(await codeOf(attempt(at(), 'emil'))).toBe('username_taken');
      now += GRACE + 1;
      const id = await attempt(at(), 'emil');
      expect(await users.ownerOf(nameOf('emil'))).toBe(id);
      expect(await rows()).toEqual({ users: 1, names: 1 });
    });

    it.each<RegistrationStep>(['repair.user-dead', 'repair.name-released', 'repair.user-removed'])(
      'is repaired after a repair that crashed at %s',
      async (step) => {
        await expect(attempt(at(crashAt('register.name-claimed')), 'frida')).rejects.toBe(CRASH);
        now += GRACE + 1;
        await expect(repairRegistrations(at(crashAt(step)))).rejects.toBe(CRASH);
        await repairRegistrations(at());
        expect(await rows()).toEqual({ users: 0, names: 0 });
        expect(await codeOf(attempt(at(), 'frida'))).toBe('done');
      },
    );

    it.each<RegistrationStep>(['register.user-pending', 'register.name-claimed'])(
      'that was undone while it waited at %s finds out, and leaves no name behind',
      async (where) => {
        const slow = attempt(
          at(async (step) => {
            if (step !== where) return;
            now += GRACE + 1;
            await repairRegistrations(at());
          }),
          'gustav',
        );
        expect(await codeOf(slow)).toBe('conflict');
        expect(await rows()).toEqual({ users: 0, names: 0 });
      },
    );

    it('that was undone, took the name late and crashed does not keep it', async () => {
      const slow = at(async (step) => {
        if (step === 'register.user-pending') {
          now += GRACE + 1;
          await repairRegistrations(at());
        }
        if (step === 'register.name-claimed') throw CRASH;
      });
      await expect(attempt(slow, 'hanna')).rejects.toBe(CRASH);
      expect(await rows()).toEqual({ users: 0, names: 1 });
      const id = await attempt(at(), 'hanna');
      expect(await users.ownerOf(nameOf('hanna'))).toBe(id);
    });
  });

  describe('registrations and repairs', () => {
    it('leave one owner of a name or none, in whatever order their statements come', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(fc.constantFrom('register', 'repair', 'time'), { minLength: 4, maxLength: 9 }),
          async (s, acts) => {
            const text = `racer${++races}`;
            const yielding = at(async (step) => s.schedule(Promise.resolve(), step));
            const outcomes: Promise<string>[] = [];
            for (const act of acts) {
              if (act === 'register') outcomes.push(codeOf(s.schedule(Promise.resolve(), act).then(async () => attempt(yielding, text))));
              else if (act === 'repair')
                outcomes.push(codeOf(s.schedule(Promise.resolve(), act).then(async () => repairRegistrations(yielding))));
              else void s.schedule(Promise.resolve(), act).then(() => (now += GRACE + 1));
            }
            await s.waitFor(Promise.all(outcomes));
            const ends = await Promise.all(outcomes);
            expect(ends.filter((end) => end !== 'done' && end !== 'username_taken' && end !== 'conflict')).toEqual([]);
            now += GRACE + 1;
            await repairRegistrations(at());
            const won = ends.filter((end, i) => end === 'done' && acts.filter((act) => act !== 'time')[i] === 'register').length;
            expect(won).toBeLessThanOrEqual(1);
            const owner = await users.ownerOf(nameOf(text));
            const user = owner === undefined ? undefined : await users.user(owner);
            expect([owner === undefined, user?.state]).toEqual(won === 1 ? [false, 'active'] : [true, undefined]);
            // Nothing is left of the others, and the name can be had where nobody has it.
            if (won === 0) expect(await codeOf(attempt(at(), text))).toBe('done');
            expect(await codeOf(attempt(at(), text))).toBe('username_taken');
          },
        ),
        { numRuns },
      );
      expect((await rows()).users).toBe((await rows()).names);
    });
  });
}
