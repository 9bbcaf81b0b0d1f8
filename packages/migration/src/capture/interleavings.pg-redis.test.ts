import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { carriedSessionKey, convertSession, sessionIdText, type SourceChange, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import fc from 'fast-check';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { changeMigration } from '../journal/state.ts';
import { Workbench, type RunningMigrator } from '../testing/workbench.ts';
import { applyChanges } from './apply-changes.ts';
import { PendingChanges } from './pending-changes.ts';

/*
 * Two readers of one session on a real Redis: the capture, which is told of every change in its order, however late, in batches
 * of any size, and again from an earlier place as after a kill; and another reader, whose writes come at any later moment, as
 * those of a comparison or of a process that was stopped in between. The application writes, extends, removes, saves late.
 */
const client = createClient({ url: inject('redisUrl') });
const prefix = `i${randomBytes(4).toString('hex')}:`;
let bench: Workbench;
let running: RunningMigrator;
let source: SourceStore;

beforeAll(async () => {
  await client.connect();
  bench = await Workbench.create(inject('postgresUrl'));
  source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  // However long the runs take, no slot leaves the source meanwhile: its writers past us would count no more.
  await changeMigration(bench.database(bench.controlUrl), { goalPercent: 0 }, { actor: 'test' });
  running = await bench.migrator(source);
});
afterAll(async () => {
  await bench.close();
  client.destroy();
});

type Step =
  | { readonly do: 'write'; readonly roles: number }
  | { readonly do: 'remove' }
  /** The capture applies what it has been told up to here; `again` places of before once more. */
  | { readonly do: 'apply'; readonly again: number }
  /** The other reader reads; it writes what it read at its next step `land`. */
  | { readonly do: 'read' }
  | { readonly do: 'land' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), roles: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'remove' as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('apply' as const), again: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'read' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'land' as const }) },
);

/** What the application wrote with roles number `n`. */
function textOf(n: number): string {
  return JSON.stringify({ cookie: { originalMaxAge: 3_600_000, path: '/' }, user: { id: 'ada', name: 'ada', roles: [`r${n}`] } });
}

class Run {
  readonly #rawId = randomBytes(9).toString('hex');
  readonly #told: SourceChange[] = [];
  readonly #read: Awaited<ReturnType<Run['read']>>[] = [];
  #applied = 0;
  removed = false;
  last: number | undefined;

  get key(): ReturnType<typeof carriedSessionKey> {
    return carriedSessionKey(this.#rawId);
  }

  async take(one: Step): Promise<void> {
    switch (one.do) {
      case 'write': {
        const value = textOf(one.roles);
        await client.set(prefix + this.#rawId, value, { expiration: { type: 'EX', value: 3600 } });
        this.#told.push({ rawId: this.#rawId, kind: 'value', value, expireTime: Date.now() + 3_600_000, own: false });
        this.last = one.roles;
        return;
      }
      case 'remove':
        if ((await client.del(prefix + this.#rawId)) === 0) return;
        this.#told.push({ rawId: this.#rawId, kind: 'removal', own: false });
        this.removed = true;
        return;
      case 'apply':
        return this.apply(one.again);
      case 'read':
        this.#read.push(await this.read());
        return;
      case 'land':
        return this.land();
    }
  }

  async apply(again: number): Promise<void> {
    const { context } = running;
    const pending = new PendingChanges();
    // What was told up to here; told again from an earlier place, as after a kill.
    const from = Math.max(0, this.#applied - again);
    this.#applied = this.#told.length;
    for (const change of this.#told.slice(from)) pending.add(change, Date.now());
    await applyChanges({ ...context, source }, pending.take(), this.#told.length);
  }

  /** The label is what the capture has applied: a place that the source has certainly reached. */
  async read(): Promise<{ readonly label: number; readonly session: Awaited<ReturnType<SourceStore['get']>>[number] }> {
    const label = this.#applied;
    const [session] = await source.get([this.#rawId]);
    return { label, session };
  }

  async land(): Promise<void> {
    const { context } = running;
    const read = this.#read.shift();
    if (read?.session === undefined || read.session.ended) return;
    const { epoch } = context.slots.entry(this.key.slot);
    const converted = convertSession({ ...read.session, version: { epoch, n: read.label } }, context);
    if (converted.ok) await context.target.put(converted.record, epoch);
  }

  async rest(): Promise<void> {
    await this.apply(0);
    while (this.#read.length > 0) await this.land();
    // What the ends of the capture did to the source is told too.
    await this.apply(1);
  }
}

test('whatever comes late, twice or in between: the target ends with the last change, and what was ended stays ended', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const run = new Run();
      for (const one of steps) await run.take(one);
      await run.rest();
      const found = await running.context.target.get(run.key);
      if (run.removed) {
        expect(found.state).toBe('ended');
      } else if (run.last === undefined) {
        expect(found.state).toBe('absent');
      } else {
        expect(found).toMatchObject({ state: 'live', record: { authorities: [`r${run.last}`] } });
      }
      expect(running.context.ended.isSessionEnded(sessionIdText(run.key.id)) && found.state !== 'ended').toBe(false);
    }),
    { numRuns: 60 },
  );
});
