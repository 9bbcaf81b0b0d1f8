import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration, readMigration, viewParts, type JournalPoint } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { WorkerOrder } from './worker-order.ts';

/*
 * Two migrator processes on one migration. One of them is killed, or stopped until the other has finished and then let
 * go on, between the reading of a page, its writing and its checkpoint, in the copy and in the comparison. The migration must reach its goal, with every session at the
 * target as it is at the source, one that was changed and one that was ended behind the stopped process's back included.
 */
const SESSIONS = 240;
/** Sessions a second, of both workers: slow enough that one which starts late still finds parts. */
const RATE = 60;
const SLICES = ['a', 'b', 'c', 'd', 'e', 'f'];
const child = fileURLToPath(new URL('worker-child.ts', import.meta.url));
const client = createClient({ url: inject('redisUrl') });
beforeAll(async () => {
  await client.connect();
});
afterAll(() => client.destroy());

const KILLED: readonly JournalPoint[] = ['copy.page-read', 'copy.page-written', 'verify.page-compared'];
const STOPPED: readonly JournalPoint[] = ['copy.page-written', 'verify.page-compared'];
const CASES = [...KILLED.map((at) => ({ signal: 'SIGKILL' as const, at })), ...STOPPED.map((at) => ({ signal: 'SIGSTOP' as const, at }))];

describe.concurrent.each(CASES)('$signal at $at', ({ signal, at }) => {
  test('the other worker takes over, and nothing is lost or brought back', async () => {
    const world = await World.create();
    try {
      await world.fill();
      await changeMigration(world.control, { goalPercent: 0 }, { actor: 'test' });
      // There and ready, and without work until the victim has a part in hand: it would else be through before that.
      const other = world.start({ waits: true });
      await other.said('ready');
      const victim = world.start({ fate: { signal, at, occurrence: 3 } });
      await victim.said('there');
      other.process.stdin?.write('go\n');
      await victim.said(signal);
      const [changed, gone] = [world.ids[0] ?? '', world.ids[1] ?? ''];
      if (signal === 'SIGSTOP') {
        await world.save(changed, 'somebody else');
        await world.end(gone);
      }
      expect(await other.ended).toBe(0);
      if (signal === 'SIGSTOP') {
        victim.process.kill('SIGCONT');
        expect(await victim.ended).toBe(0);
      }
      expect((await readMigration(world.control)).step).toBe('switch');
      expect((await viewParts(world.control)).every(({ done }) => done)).toBe(true);
      await world.check(signal === 'SIGSTOP' ? { changed, gone } : {});
    } finally {
      await world.close();
    }
  });
});

test('two workers share the parts, and the rate', async () => {
  const world = await World.create();
  onTestFinished(() => world.close());
  await world.fill();
  await changeMigration(world.control, { paused: true, goalPercent: 0, rate: RATE }, { actor: 'test' });
  const workers = [world.start(), world.start()];
  await Promise.all(workers.map((worker) => worker.said('ready')));
  const from = performance.now();
  await changeMigration(world.control, { paused: false }, { actor: 'test' });
  await expect.poll(async () => (await readMigration(world.control)).step, { timeout: PATIENT_MS }).not.toBe('copy');
  await expect
    .poll(
      async () => (await viewParts(world.control, 'copy')).length > 0 && (await viewParts(world.control, 'copy')).every(({ done }) => done),
      { timeout: PATIENT_MS },
    )
    .toBe(true);
  const seconds = (performance.now() - from) / 1000;
  // What the first moments let through before each knew of the other is not more than half.
  expect(seconds).toBeGreaterThan(SESSIONS / RATE / 2);
  await changeMigration(world.control, { rate: 0 }, { actor: 'test' });
  for (const worker of workers) expect(await worker.ended).toBe(0);
  const finished = workers.map(({ parts }) => parts());
  expect(
    finished.every((parts) => parts > 0),
    `parts finished: ${finished.join(' and ')}`,
  ).toBe(true);
  expect(finished.reduce((sum, parts) => sum + parts, 0)).toBe(SLICES.length);
  await world.check({});
});

interface Worker {
  readonly process: ChildProcess;
  readonly ended: Promise<number | string>;
  said(word: string): Promise<void>;
  /** How many parts it has finished. */
  parts(): number;
}

/** A source with sessions, databases of its own, and the processes that work on them. */
class World {
  readonly ids: string[] = Array.from(
    { length: SESSIONS },
    (_, n) => (SLICES[n % SLICES.length] ?? '') + randomBytes(12).toString('base64url'),
  );
  readonly #bench: Workbench;
  readonly #prefix = `workers-${randomBytes(4).toString('hex')}:`;
  readonly #processes: ChildProcess[] = [];
  readonly control;

  private constructor(bench: Workbench) {
    this.#bench = bench;
    this.control = bench.database(bench.controlUrl);
  }

  static async create(): Promise<World> {
    return new World(await Workbench.create(inject('postgresUrl')));
  }

  async fill(): Promise<void> {
    await Promise.all(
      this.ids.map((id, n) => client.set(this.#prefix + id, valueOf(`user${n}`), { expiration: { type: 'EX', value: 3600 } })),
    );
  }

  start(more: Pick<WorkerOrder, 'fate' | 'waits'> = {}): Worker {
    const order: WorkerOrder = { bench: this.#bench.address, redisUrl: inject('redisUrl'), prefix: this.#prefix, slices: SLICES, ...more };
    const process_ = spawn(process.execPath, ['--conditions=source', child, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#processes.push(process_);
    let out = '';
    let err = '';
    process_.stdout?.on('data', (text: Buffer) => (out += text.toString()));
    process_.stderr?.on('data', (text: Buffer) => (err += text.toString()));
    const ended = new Promise<number | string>((resolve, reject) => {
      process_.once('close', (code, signal) => (code === null || code === 0 ? resolve(signal ?? 0) : reject(new Error(err))));
    });
    ended.catch(() => undefined);
    return {
      process: process_,
      ended,
      said: (word) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (out.split('\n').includes(word)) resolve();
          };
          process_.stdout?.on('data', look);
          ended.then(() => reject(new Error(`it ended without ${word}`)), reject);
          look();
        }),
      parts: () => out.split('\n').filter((line) => line === 'part').length,
    };
  }

  /** As an instrumented application does: the source first, then the target. */
  async save(id: string, name: string): Promise<void> {
    await this.#carried((sessions) => sessions.save(id, valueOf(name), 3_600_000));
  }

  async end(id: string): Promise<void> {
    await this.#carried((sessions) => sessions.end(id, 'logout'));
  }

  async #carried<T>(work: (sessions: ReturnType<Workbench['carried']>) => Promise<T>): Promise<void> {
    const { runtime, leave } = await this.#bench.process('writer');
    const source = createRedisSource({ client, prefix: this.#prefix, timeoutMs: PATIENT_MS });
    await work(this.#bench.carried(runtime, source));
    await leave();
  }

  /** Reads the target's rows themselves. */
  async check({ changed, gone }: { readonly changed?: string; readonly gone?: string }): Promise<void> {
    const { runtime, leave } = await this.#bench.process('gateway');
    for (const [n, id] of this.ids.entries()) {
      const row = await runtime.target.get(carriedSessionKey(id));
      if (id === gone) expect(row.state, 'an ended session').toBe('ended');
      else
        expect(row, `session ${n}`).toMatchObject({ state: 'live', record: { username: id === changed ? 'somebody else' : `user${n}` } });
    }
    await leave();
  }

  async close(): Promise<void> {
    for (const process_ of this.#processes) {
      process_.kill('SIGCONT');
      process_.kill('SIGKILL');
    }
    await this.#bench.close();
  }
}

function valueOf(name: string): string {
  return JSON.stringify({ cookie: { originalMaxAge: 3_600_000, path: '/' }, user: { id: 1, name, roles: ['r'] } });
}
