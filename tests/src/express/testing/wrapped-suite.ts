import { randomBytes } from 'node:crypto';
import type { SourceLocation } from '@wherry/legacy-app';
import { changeMigration, readMigration } from '@wherry/migration';
import { TEST_IDENTITY, Workbench, type RunningMigrator } from '@wherry/migration/testing';
import { abandonDeadLetters, formatsOf, listDeadLetters, type SourceStore } from '@wherry/sessions';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { SLOW_ITEM, cookieOf, startWrapped, type WrappedApplication } from '../application.ts';

/** Options of {@link describeWrapped}. */
export interface WrappedSuite {
  readonly location: () => SourceLocation;
  readonly open: (keyPrefix: string) => SourceStore;
}

const PHASES = ['before the switch', 'switched', 'rolled back'] as const;
type PhaseName = (typeof PHASES)[number];

/** An Express application whose store is wrapped, through a migration there and back. */
export function describeWrapped({ location, open }: WrappedSuite): void {
  const keyPrefix = `${randomBytes(4).toString('hex')}:`;
  const notes: string[] = [];
  let bench: Workbench;
  let application: WrappedApplication;
  let source: SourceStore;
  let running: RunningMigrator;
  /** Log-ins that stay, by user number, with how many items lie in their cart. */
  const stay = new Map<number, { readonly cookie: string; items: number }>();

  beforeAll(async () => {
    bench = await Workbench.create(inject('postgresUrl'));
    application = await startWrapped(bench, location(), keyPrefix);
    source = open(keyPrefix);
  });
  afterAll(async () => {
    await application.close();
    await bench.close();
    await source.close();
  });

  const known = async (cookie: string): Promise<number> => (await application.send('/me', cookie)).status;
  const sides = async (): Promise<{ source: number; target: number }> => {
    const { slots } = running.context;
    await slots.refresh();
    return slots.counts().reduce((sum, count) => ({ source: sum.source + count.source, target: sum.target + count.target }), {
      source: 0,
      target: 0,
    });
  };

  async function reach(phase: PhaseName): Promise<void> {
    const control = bench.database(bench.controlUrl);
    switch (phase) {
      case 'before the switch':
        return;
      case 'switched':
        await changeMigration(control, { goal: 'target', goalPercent: 100 }, { actor: 'test' });
        break;
      case 'rolled back':
        await changeMigration(control, { goal: 'source', goalPercent: 100 }, { actor: 'test' });
    }
    await running.migrator.atGoal();
    expect(await sides()).toEqual(phase === 'switched' ? { source: 0, target: 16_384 } : { source: 16_384, target: 0 });
  }

  test('a session that nobody can decode blocks the switch until somebody decides', async () => {
    for (let n = 0; n < 5; n++) stay.set(n, { cookie: await application.logIn(n), items: 0 });
    const cookie = { originalMaxAge: 600_000, maxAge: 600_000, expires: new Date(Date.now() + 600_000).toISOString() };
    await application.writeRaw('nobody-can-tell-whose', { cookie, user: { id: { of: 'another kind' } } });
    const [format] = formatsOf(source.describe().kind);
    running = await bench.migrator(source, {
      writers: 'instrumented',
      ...(format === undefined ? {} : { decode: format.decoder({ identity: TEST_IDENTITY }) }),
      progress: { progress: () => undefined, note: (text) => notes.push(text) },
    });
    await vi.waitFor(() => expect(notes.some((note) => note.startsWith('gate closed') && note.includes('1 sessions'))).toBe(true), {
      interval: 50,
    });
    expect(await sides()).toEqual({ source: 16_384, target: 0 });
    expect((await readMigration(running.context.control)).step).toBe('switch');
    expect(await listDeadLetters(running.context.control, 10)).toMatchObject([{ reason: 'identity_invalid', decision: null }]);
    for (const { cookie: live } of stay.values()) expect(await known(live)).toBe(200);
    await changeMigration(running.context.control, { goalPercent: 0 }, { actor: 'test' });
    expect(await abandonDeadLetters(running.context.control, 'test', 'it is a robot’s')).toBe(1);
    await running.migrator.atGoal();
  });

  describe.each(PHASES)('%s', (phase) => {
    beforeAll(() => reach(phase));

    test('whoever was signed in still is, with his cart', async () => {
      for (const [n, session] of stay) {
        const me = await application.send('/me', session.cookie);
        expect(await me.json()).toMatchObject({ user: { name: `user${n}` } });
        const cart = await application.send('/cart', session.cookie, { item: phase });
        expect(await cart.json()).toMatchObject({ items: ++session.items });
      }
    });

    test('a user signs in, is known, gets a new id, and is gone after the log-out', async () => {
      const first = await application.logIn(100);
      expect(await known(first)).toBe(200);
      const second = cookieOf(await application.send('/rotate', first, {}));
      expect(second).not.toBe(first);
      expect(await known(first)).toBe(401);
      expect(await known(second)).toBe(200);
      expect((await application.send('/logout', second, {})).status).toBe(204);
      expect(await known(second)).toBe(401);
      const [old, ended] = await source.get([application.rawId(first), application.rawId(second)]);
      expect([old?.ended, ended?.ended]).toEqual([true, true]);
    });

    test('every request extends the session, on both sides', async () => {
      const cookie = stay.get(0)?.cookie ?? '';
      const rawId = application.rawId(cookie);
      const expiry = async (): Promise<number> => (await source.get([rawId]))[0]?.expireTime ?? 0;
      const before = await expiry();
      // The source counts in seconds: the next request must fall into a later one.
      await vi.waitFor(
        async () => {
          expect(await known(cookie)).toBe(200);
          expect(await expiry()).toBeGreaterThan(before);
        },
        { interval: 200 },
      );
    });

    test('a slow request that saves after the log-out does not bring the session back', async () => {
      if (phase !== 'switched') return;
      const cookie = await application.logIn(200);
      const slow = application.send('/cart', cookie, { item: SLOW_ITEM });
      await application.slowArrived();
      expect((await application.send('/logout', cookie, {})).status).toBe(204);
      application.releaseSlow();
      expect((await slow).status).toBeLessThan(500);
      expect(await known(cookie)).toBe(401);
      expect((await source.get([application.rawId(cookie)]))[0]?.ended).toBe(true);
    });
  });
}
