import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import {
  carriedSessionKey,
  convertSession,
  expressJsonDecoder,
  type CarriedSessions,
  type SessionRecord,
  type SessionRuntime,
  type SourceChange,
  type SourceStore,
} from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import fc from 'fast-check';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TEST_IDENTITY, Workbench } from '../testing/workbench.ts';
import { applyChanges, type ApplyContext, type ApplyStep } from './apply-changes.ts';
import { keptGenerations } from './kept-generations.ts';
import { PendingChanges } from './pending-changes.ts';
import { RaisedUsers, type Course } from './raised-users.ts';

/*
 * A user whose sessions are ended again and again at an application that knows nothing of us, on a real Redis. It logs him in,
 * under new ids and over sessions of nobody, extends, saves again, saves late, renames, and gives sessions new ids.
 * The capture is told of each change in its order, however late, is killed between any two steps, goes on from an older
 * place, or has to begin anew with a snapshot; raises are settled in the midst of all this; another reader copies.
 * Each session remembers how often its user had been raised when he logged in: one of before a raise must never be read again.
 */
const client = createClient({ url: inject('redisUrl') });
const prefix = `l${randomBytes(4).toString('hex')}:`;
const decode = expressJsonDecoder({ identity: TEST_IDENTITY });
const LIFE_S = 3600;

let bench: Workbench;
let runtime: SessionRuntime;
let source: SourceStore;
let carried: CarriedSessions;
let context: Omit<ApplyContext, 'raised' | 'at'>;

beforeAll(async () => {
  await client.connect();
  bench = await Workbench.create(inject('postgresUrl'));
  ({ runtime } = await bench.process('migrator'));
  source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  carried = bench.carried(runtime, source);
  const watched = runtime.watch(source);
  const { control, refs, target, shards, slots, ended, revocations, repairs, now } = runtime;
  const lives = { sourceOffsetMs: () => 0, sourceDoubted: watched.doubted, tombstoneMs: 3_600_000, defaultIdleMs: 3_600_000 };
  context = { control, refs, target, shards, slots, ended, revocations, repairs, now, decode, source: watched, ...lives };
  // Where one judges, others leave to it what it has not seen.
  await control.query(`INSERT INTO migration_capture (kind, reliable, state, whole) VALUES ('test', true, 'live', true)`);
});
afterAll(async () => {
  await bench.close();
  client.destroy();
});

type Step =
  | { readonly do: 'log-in' | 'visit' | 'raise' | 'read' | 'land' | 'checkpoint' | 'crash' | 'snapshot' }
  | { readonly do: 'log-in-over' | 'touch' | 'save' | 'load' | 'save-late' | 'rotate' | 'rename' | 'remove'; readonly which: number }
  | { readonly do: 'apply'; readonly crashAt: ApplyStep | null }
  /** The next steps happen while it waits, before and after what was told by then is applied. */
  | { readonly do: 'settle'; readonly meanwhile: number; readonly after: number };

const ORDINARY = ['log-in', 'visit', 'read', 'land', 'checkpoint'] as const;
const RARE = ['raise', 'raise', 'raise', 'crash', 'snapshot'] as const;
const OF_ONE = ['log-in-over', 'touch', 'save', 'load', 'save-late', 'rotate', 'rotate', 'rename', 'remove'] as const;
const CRASHES: readonly (ApplyStep | null)[] = [null, null, null, 'source-read', 'tokens-ended', 'end-recorded', 'ends-applied', 'written'];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom(...ORDINARY) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom(...RARE) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom(...OF_ONE), which: fc.nat(5) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('apply' as const), crashAt: fc.constantFrom(...CRASHES) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), meanwhile: fc.nat(2), after: fc.nat(2) }) },
);

/** A session as the application knows it. */
interface Known {
  readonly rawId: string;
  /** How often its user had been raised when he logged in to it; null: nobody has. */
  raises: number | null;
}

class Killed extends Error {}

class Town {
  readonly userId = `ada-${randomBytes(6).toString('hex')}`;
  readonly sessions: Known[] = [];
  readonly #loaded: Known[] = [];
  readonly #told: SourceChange[] = [];
  readonly #copies: { readonly record: SessionRecord; readonly epoch: number }[] = [];
  readonly #queue: Step[];
  #raises = 0;
  #applied = 0;
  #presents: readonly string[] | undefined;
  #raised = new RaisedUsers(context, { whole: true, settled: 0n });
  #durable = { at: 0, whole: true, settled: 0n };

  constructor(steps: readonly Step[]) {
    this.#queue = [...steps];
  }

  async live(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await this.#take(next);
      await this.check();
    }
  }

  /** No session of before a raise is read. */
  async check(): Promise<void> {
    const before = this.sessions.filter(({ raises }) => raises !== null && raises < this.#raises);
    const states = await Promise.all(before.map(stateOf));
    const alive = before.find((_, index) => states[index] === 'live');
    if (alive !== undefined) throw new Error(`a session of ${alive.raises} raises lives after ${this.#raises}`);
  }

  async #take(one: Step): Promise<void> {
    // The latest most often.
    const of = (which: number): Known | undefined => this.sessions[this.sessions.length - 1 - (which % Math.min(3, this.sessions.length))];
    switch (one.do) {
      case 'log-in':
        await this.logIn();
        return;
      case 'visit':
        await this.visit();
        return;
      case 'log-in-over':
        return this.#over(of(one.which));
      case 'touch':
        return this.#touch(of(one.which));
      case 'save':
        return this.#save(of(one.which));
      case 'load': {
        const known = of(one.which);
        // What a request had read when it was somebody's; over nobody's or another's it would be a log-in to who sees the store alone.
        if (known !== undefined && known.raises !== null && (await client.exists(prefix + known.rawId)) === 1) this.#loaded.push(known);
        return;
      }
      case 'save-late': {
        const known = this.#loaded.shift();
        if (known !== undefined) await this.#write(known.rawId, this.userId);
        return;
      }
      case 'rotate':
        return this.#rotate(of(one.which));
      case 'rename':
        return this.#rename(of(one.which));
      case 'remove':
        return this.#remove(of(one.which));
      case 'raise':
        return this.raise();
      case 'read':
        return this.#copy();
      case 'land':
        return this.#land();
      case 'checkpoint':
        this.#durable = { at: this.#applied, whole: this.#raised.whole, settled: this.#raised.settled };
        return;
      case 'crash':
        this.crash();
        return;
      case 'snapshot':
        return this.#beginAnew();
      case 'apply':
        return this.apply(one.crashAt);
      case 'settle':
        return this.settle(one.meanwhile, one.after);
    }
  }

  async logIn(): Promise<Known> {
    const known = { rawId: randomBytes(9).toString('hex'), raises: this.#raises };
    this.sessions.push(known);
    await this.#write(known.rawId, this.userId);
    return known;
  }

  async visit(): Promise<Known> {
    const known = { rawId: randomBytes(9).toString('hex'), raises: null };
    this.sessions.push(known);
    await this.#write(known.rawId, null);
    return known;
  }

  async logInOver(known: Known): Promise<void> {
    known.raises = this.#raises;
    await this.#write(known.rawId, this.userId);
  }

  async raise(): Promise<void> {
    const { generation } = await runtime.revocations.raiseGeneration(this.userId, 'test', 'test');
    this.#raises = generation;
  }

  crash(): void {
    const { at, whole, settled } = this.#durable;
    this.#applied = at;
    this.#raised = new RaisedUsers(context, { whole, settled });
  }

  async apply(crashAt: ApplyStep | null = null): Promise<void> {
    const pending = new PendingChanges();
    const upTo = this.#told.length;
    for (const rawId of this.#presents ?? []) pending.addPresent(rawId);
    for (const change of this.#told.slice(this.#applied)) pending.add(change, Date.now());
    const at = async (passed: ApplyStep): Promise<void> => {
      await Promise.resolve();
      if (passed === crashAt) throw new Killed();
    };
    try {
      await applyChanges({ ...context, raised: this.#raised, at }, pending.take(), upTo);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.crash();
      return;
    }
    this.#applied = upTo;
    if (this.#presents !== undefined) this.#raised.becomeWhole();
    this.#presents = undefined;
  }

  async settle(meanwhile = 0, after = 0): Promise<void> {
    const raised = this.#raised;
    const waiting = { meanwhile, after };
    const happen = async (when: 'meanwhile' | 'after'): Promise<void> => {
      for (; waiting[when] > 0; waiting[when]--) {
        const next = this.#queue[0];
        if (next === undefined || next.do === 'settle') return;
        this.#queue.shift();
        await this.#take(next);
      }
    };
    const course: Course = {
      head: async () => Promise.resolve({ history: 'told', at: this.#told.length, detail: '' }),
      reaches: async ({ at }) => {
        await happen('meanwhile');
        await this.apply();
        await happen('after');
        // Killed, or begun anew, meanwhile.
        return this.#raised === raised && this.#applied >= at;
      },
    };
    await raised.settle(course);
  }

  async rest(): Promise<void> {
    await this.apply();
    await this.settle();
    while (this.#copies.length > 0) await this.#land();
    await this.apply();
    await this.check();
  }

  async #write(rawId: string, userId: string | null): Promise<void> {
    const user = userId === null ? {} : { user: { id: userId, name: 'ada', roles: ['user'] } };
    const value = JSON.stringify({ cookie: { originalMaxAge: LIFE_S * 1000, path: '/' }, ...user });
    await client.set(prefix + rawId, value, { expiration: { type: 'EX', value: LIFE_S } });
    this.#told.push({ rawId, kind: 'value', value, expireTime: Date.now() + LIFE_S * 1000, own: false });
  }

  async #over(known: Known | undefined): Promise<void> {
    if (known?.raises === null && (await client.exists(prefix + known.rawId)) === 1) await this.logInOver(known);
  }

  async #touch(known: Known | undefined): Promise<void> {
    if (known === undefined || (await client.expire(prefix + known.rawId, LIFE_S)) === 0) return;
    this.#told.push({ rawId: known.rawId, kind: 'expiry', expireTime: Date.now() + LIFE_S * 1000, own: false });
  }

  async #save(known: Known | undefined): Promise<void> {
    if (known === undefined || (await client.exists(prefix + known.rawId)) === 0) return;
    await this.#write(known.rawId, known.raises === null ? null : this.userId);
  }

  async #rotate(known: Known | undefined): Promise<void> {
    if (known === undefined || (await client.del(prefix + known.rawId)) === 0) return;
    this.#told.push({ rawId: known.rawId, kind: 'removal', own: false });
    const next = { rawId: randomBytes(9).toString('hex'), raises: known.raises };
    this.sessions.push(next);
    await this.#write(next.rawId, known.raises === null ? null : this.userId);
  }

  async #rename(known: Known | undefined): Promise<void> {
    if (known === undefined || (await client.exists(prefix + known.rawId)) === 0) return;
    const next = { rawId: randomBytes(9).toString('hex'), raises: known.raises };
    await client.rename(prefix + known.rawId, prefix + next.rawId);
    this.sessions.push(next);
    this.#told.push({ rawId: known.rawId, kind: 'removal', own: false }, { rawId: next.rawId, kind: 'other', own: false });
  }

  async #remove(known: Known | undefined): Promise<void> {
    if (known === undefined || (await client.del(prefix + known.rawId)) === 0) return;
    this.#told.push({ rawId: known.rawId, kind: 'removal', own: false });
  }

  /** Another reader: what it has read is written at a later moment, under what the capture had applied durably. */
  async #copy(): Promise<void> {
    const { at } = this.#durable;
    const found = await source.get(this.sessions.map(({ rawId }) => rawId));
    for (const session of found) {
      if (session === undefined || session.ended) continue;
      const { epoch } = context.slots.entry(carriedSessionKey(session.rawId).slot);
      const converted = convertSession({ ...session, version: { epoch, n: at } }, context);
      if (converted.ok) this.#copies.push({ record: converted.record, epoch });
    }
  }

  async #land(): Promise<void> {
    const copies = this.#copies.splice(0);
    await keptGenerations(runtime.target, runtime.control, runtime.ended).putMany(
      copies.map(({ record }) => record),
      copies.map(({ epoch }) => epoch),
    );
  }

  /** The feed could not go on: nobody is told what happened since, and a snapshot tells what is there. */
  async #beginAnew(): Promise<void> {
    this.#raised = new RaisedUsers(context, { whole: false, settled: 0n });
    this.#applied = this.#told.length;
    const found = await source.get(this.sessions.map(({ rawId }) => rawId));
    this.#presents = found.flatMap((session) => (session === undefined || session.ended ? [] : [session.rawId]));
    this.#durable = { at: this.#applied, whole: false, settled: 0n };
  }

  /** As a pass over the source does for a capture that was killed before it knew of all. */
  async pass(): Promise<void> {
    if (this.#raised.whole) return;
    const found = await source.get(this.sessions.map(({ rawId }) => rawId));
    this.#presents = found.flatMap((session) => (session === undefined || session.ended ? [] : [session.rawId]));
    await this.apply();
  }
}

async function stateOf({ rawId }: Known): Promise<string> {
  return (await carried.read(rawId)).state;
}

const apply: Step = { do: 'apply', crashAt: null };
const settle: Step = { do: 'settle', meanwhile: 0, after: 0 };
const latest = (step: 'rotate' | 'rename' | 'save' | 'load' | 'save-late'): Step => ({ do: step, which: 0 });
const LIVING: readonly Step[] = [apply, settle, { do: 'log-in' }, apply];

/** What chance would find now and then only: the user lives by a generation, and is raised once more. */
const ATTACKS: readonly (readonly Step[])[] = [
  // A new id for an old session, before the raise is settled.
  [...LIVING, { do: 'raise' }, latest('rotate'), apply],
  [...LIVING, { do: 'raise' }, latest('rename'), apply, settle, apply],
  // While it is settled: what the user had is looked up, and has another id by then.
  [...LIVING, { do: 'raise' }, { do: 'settle', meanwhile: 0, after: 1 }, latest('rotate'), apply, apply],
  [...LIVING, { do: 'raise' }, { do: 'settle', meanwhile: 1, after: 1 }, latest('rename'), latest('rotate'), apply, apply],
  // A kill in between: what is told again was settled before only as far as is written down.
  [...LIVING, { do: 'checkpoint' }, { do: 'raise' }, latest('rotate'), apply, settle, { do: 'crash' }, apply],
  // A request that saves late.
  [...LIVING, latest('load'), { do: 'raise' }, settle, { do: 'save-late', which: 0 }, apply, settle, apply],
  // Another reader wrote first what the capture has not seen.
  [...LIVING, { do: 'raise' }, latest('rotate'), { do: 'read' }, { do: 'land' }, apply, settle, apply],
  // Nobody could follow the stream.
  [...LIVING, { do: 'raise' }, latest('rotate'), { do: 'snapshot' }, apply, settle, latest('save'), apply],
];

test('whatever happens, and whenever the capture is killed: what a raise has ended is never read again, and who logs in later lives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const town = new Town([{ do: 'log-in' }, { do: 'raise' }, ...steps]);
      await town.live();
      await town.rest();
      await town.pass();
      await town.settle();
      const fresh = await town.logIn();
      const over = await town.visit();
      await town.apply();
      await town.logInOver(over);
      await town.apply();
      expect([await stateOf(fresh), await stateOf(over)]).toEqual(['live', 'live']);
      await town.raise();
      await town.check();
      await town.rest();
      expect([await stateOf(fresh), await stateOf(over)]).toEqual(['ended', 'ended']);
    }),
    { numRuns: ATTACKS.length + 20, examples: ATTACKS.map((steps) => [[...steps]]) },
  );
});
