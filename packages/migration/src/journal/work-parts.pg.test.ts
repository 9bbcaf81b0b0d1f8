import '@wherry/embedded/testing';
import { randomUUID } from 'node:crypto';
import type { Database } from '@wherry/core/control';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { Workbench } from '../testing/workbench.ts';
import { readMigration, readWorkOrder } from './state.ts';
import { WorkParts, type Claim } from './work-parts.ts';

let bench: Workbench;
let control: Database;
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  control = bench.database(bench.controlUrl);
  await readMigration(control);
});
afterAll(() => bench.close());
beforeEach(clear);

const REPORT = { rate: 0, pace: {} };

async function clear(): Promise<void> {
  await control.query('DELETE FROM migration_pass; DELETE FROM instance; UPDATE migration SET leader = NULL');
}

/** A process as control knows it: its lease is what the test says. */
class Process {
  id = '';
  readonly parts: WorkParts = new WorkParts(control, () => this.id);

  async register(): Promise<void> {
    this.id = randomUUID();
    await control.query(
      `INSERT INTO instance (id, role, started_at, lease_until) VALUES ($1, 'migrator', wherry_now(), wherry_now() + 3600000)`,
      [this.id],
    );
  }

  async lapse(): Promise<void> {
    await control.query('UPDATE instance SET lease_until = 0 WHERE id = $1', [this.id]);
  }

  async lead(): Promise<void> {
    await control.query('UPDATE migration SET leader = $1', [this.id]);
  }
}

async function started(): Promise<Process> {
  const process = new Process();
  await process.register();
  return process;
}

function partsOf(...names: string[]): { part: string; incarnation: string; expected: number }[] {
  return names.map((part) => ({ part, incarnation: 'i', expected: 10 }));
}

function at(cursor: string): { incarnation: string; cursor: string; done: boolean; counts: Record<string, number> } {
  return { incarnation: 'i', cursor, done: false, counts: { scanned: 1 } };
}

test('many who ask at once get different parts, each once', async () => {
  const leader = await started();
  await leader.lead();
  await leader.parts.open('copy', 0n, partsOf('a', 'b', 'c', 'd', 'e'));
  const workers = await Promise.all(Array.from({ length: 12 }, started));
  const claims = await Promise.all(workers.map(({ parts }) => parts.claim('copy')));
  // Somebody may have been passed over while another was taking; nobody is after that.
  for (const { parts } of workers.slice(0, 5)) claims.push(await parts.claim('copy', ['a', 'b', 'c', 'd', 'e']));
  const taken = claims.filter((claim) => claim !== undefined).map(({ part }) => part);
  expect(new Set(taken).size).toBe(taken.length);
  const numbers = claims.flatMap((claim) => claim?.claim ?? []);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect((await readWorkOrder(control)).workers).toBe(taken.length);
});

test('only whoever leads announces parts, and a part with another incarnation starts again, whoever has it', async () => {
  const [leader, worker] = [await started(), await started()];
  await leader.lead();
  await expect(worker.parts.open('copy', 0n, partsOf('a'))).rejects.toMatchObject({ code: 'lease_lost' });
  await leader.parts.open('copy', 0n, partsOf('a', 'b'));
  const a = await worker.parts.claim('copy');
  const b = await worker.parts.claim('copy', ['a']);
  if (a === undefined || b === undefined) throw new Error('nothing to claim');
  await worker.parts.save(a, at('5'), REPORT);
  await worker.parts.save(b, { ...at('9'), done: true, cursor: null }, REPORT);
  // The same again changes nothing, with claims and checkpoints as they are.
  await leader.parts.open('copy', 0n, partsOf('a', 'b'));
  await worker.parts.save(a, at('6'), REPORT);
  expect(await leader.parts.view('copy')).toMatchObject([
    { part: 'a', done: false, worker: worker.id },
    { part: 'b', done: true, worker: null },
  ]);
  // The source was restarted: cursors mean nothing any more, also of what was done.
  await leader.parts.open('copy', 0n, [
    { part: 'a', incarnation: 'j', expected: 10 },
    { part: 'c', incarnation: 'j', expected: 10 },
  ]);
  await expect(worker.parts.save(a, at('7'), REPORT)).rejects.toMatchObject({ code: 'lease_lost' });
  expect(await leader.parts.view('copy')).toMatchObject([
    { part: 'a', done: false, worker: null, counts: {} },
    { part: 'c', done: false, worker: null },
  ]);
  expect((await worker.parts.claim('copy'))?.checkpoint).toEqual({ incarnation: 'j', cursor: null, done: false, counts: {} });
});

/** What a process of the model does. `which`: of the claims that it was ever given, the newest first. */
type Act =
  | { readonly kind: 'claim' | 'lapse' | 'register'; readonly who: number }
  | { readonly kind: 'save'; readonly who: number; readonly which: number; readonly done: boolean }
  | { readonly kind: 'release'; readonly who: number; readonly which: number }
  | { readonly kind: 'restart' };

const WHO = fc.nat(1);
const WHICH = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) });
const acts = (kind: 'claim' | 'lapse' | 'register'): fc.Arbitrary<Act> => fc.record({ kind: fc.constant(kind), who: WHO });
const ACTS = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: acts('claim') },
    { weight: 3, arbitrary: acts('lapse') },
    { weight: 4, arbitrary: acts('register') },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), who: WHO, which: WHICH }) },
    {
      weight: 10,
      arbitrary: fc.record({ kind: fc.constant('save' as const), who: WHO, which: WHICH, done: fc.nat(19).map((n) => n === 0) }),
    },
    { weight: 1, arbitrary: fc.constant<Act>({ kind: 'restart' }) },
  ),
  { minLength: 20, maxLength: 40 },
);

test('a checkpoint is written by the last claim alone, under a lease that lives: whatever happens in between', async () => {
  await fc.assert(
    fc.asyncProperty(ACTS, async (acts: readonly Act[]) => {
      await clear();
      const leader = await started();
      await leader.lead();
      const workers = [await started(), await started()];
      const given: Claim[][] = [[], []];
      // What must be so: the claim that counts, and where the part stands.
      let owner: Claim | undefined;
      let [incarnation, cursor, done, step] = ['0', null as string | null, false, 0];
      const live = new Set(workers.map(({ id }) => id));
      const open = (): Promise<void> => leader.parts.open('copy', 0n, [{ part: 'a', incarnation, expected: 1 }]);
      await open();
      for (const act of acts) {
        step++;
        if (act.kind === 'restart') {
          [incarnation, cursor, done, owner] = [String(step), null, false, undefined];
          await open();
          continue;
        }
        const worker = workers[act.who] ?? leader;
        const claims = given[act.who] ?? [];
        switch (act.kind) {
          case 'lapse':
            await worker.lapse();
            live.delete(worker.id);
            break;
          case 'register':
            // As after a lapse that the process has not noticed yet: the former lease may live.
            await worker.register();
            live.add(worker.id);
            break;
          case 'release': {
            const claim = claims[act.which];
            if (claim === undefined) break;
            await worker.parts.release(claim);
            if (claim === owner) owner = undefined;
            break;
          }
          case 'claim': {
            const free = owner === undefined || owner.worker === worker.id || !live.has(owner.worker);
            const claim = await worker.parts.claim('copy');
            expect(claim !== undefined).toBe(free && !done && live.has(worker.id));
            if (claim === undefined) break;
            expect(claim.checkpoint).toMatchObject({ incarnation, cursor });
            claims.unshift(claim);
            owner = claim;
            break;
          }
          case 'save': {
            const claim = claims[act.which];
            if (claim === undefined) break;
            const next = { incarnation: claim.checkpoint.incarnation, cursor: String(step), done: act.done, counts: {} };
            const saved = await worker.parts.save(claim, next, REPORT).then(
              () => true,
              () => false,
            );
            expect(saved).toBe(claim === owner && live.has(claim.worker));
            if (saved) [cursor, done] = [next.cursor, next.done];
            break;
          }
        }
        const row = await control.query('SELECT cursor, done, incarnation FROM migration_pass');
        expect(row.rows).toEqual([{ cursor, done, incarnation }]);
      }
    }),
    { numRuns: 60 },
  );
});
