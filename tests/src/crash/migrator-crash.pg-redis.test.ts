import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { isWherryError } from '@wherry/core';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { JOURNAL_POINTS, changeMigration, type JournalPoint } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import type { CarriedSessions } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { CrashOrder } from './crash-order.ts';

/*
 * The migrator is killed by SIGKILL at every point of its journal, started again, and must reach its goal with every
 * session as an application left it. The points come from the code: a new one is tested by being there.
 */
const SESSIONS = 120;
const LIVE_WRITES_MS = 15;
const child = fileURLToPath(new URL('migrator-child.ts', import.meta.url));
const client = createClient({ url: inject('redisUrl') });

beforeAll(async () => {
  await client.connect();
});
afterAll(() => client.destroy());

/** Points that only a whole migration passes; the others are reached with a small share of the slots. */
const NEEDS_ALL: ReadonlySet<JournalPoint> = new Set<JournalPoint>(['settle.drained', 'settle.done']);
/** Points that a migration passes only when something differs. */
const NEEDS_DIFFERENCE: ReadonlySet<JournalPoint> = new Set<JournalPoint>(['verify.repaired']);
/** Points that a comparison may never pass while applications write: on each page it may have something to look at again. */
const NEEDS_CALM: ReadonlySet<JournalPoint> = new Set<JournalPoint>(['verify.checkpoint']);
/** Points passed many times: killed at a later passing, with more behind it to be resumed. */
const LATER: Partial<Record<JournalPoint, number>> = { 'switch.committed': 3, 'switch.closing': 2, 'switch.opened': 4 };

// Two at a time, each on databases and keys of its own: a kill waits mostly for its processes' start and graces.
describe.concurrent.each(JOURNAL_POINTS.map((point) => ({ point })))('killed at $point', ({ point }) => {
  test('the migration goes on, and no session is lost or brought back', async () => {
    const prefix = `crash-${randomBytes(4).toString('hex')}:`;
    const bench = await Workbench.create(inject('postgresUrl'));
    let busy: { stop(): Promise<void> } | undefined;
    try {
      const source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
      const app = await bench.process('writer');
      const sessions = bench.carried(app.runtime, source);
      const world = new World(sessions);
      for (let n = 0; n < SESSIONS; n++)
        await client.set(`${prefix}${world.add(n)}`, world.value(n), { expiration: { type: 'EX', value: 3600 } });
      await changeMigration(app.runtime.control, { goal: 'target', goalPercent: NEEDS_ALL.has(point) ? 100 : 4 }, { actor: 'test' });
      if (NEEDS_DIFFERENCE.has(point)) await spoilOne(bench, sessions, world);
      if (!NEEDS_CALM.has(point)) busy = world.keepWriting();
      const order: CrashOrder = { bench: bench.address, redisUrl: inject('redisUrl'), prefix, occurrence: LATER[point] ?? 1 };
      expect(await run({ ...order, crashAt: point }), `the process was not killed at ${point}`).toBe('SIGKILL');
      busy ??= world.keepWriting();
      expect(await run(order)).toBe(0);
      await busy.stop();
      await world.check();
      await app.runtime.slots.refresh();
      const target = app.runtime.slots.counts().reduce((sum, { target: count }) => sum + count, 0);
      expect(target).toBe(NEEDS_ALL.has(point) ? 16_384 : 655);
      expect(app.runtime.slots.counts().every(({ closing }) => closing === 0)).toBe(true);
    } finally {
      await busy?.stop();
      await bench.close();
    }
  });
});

/** A row that has the source's version and not its content: what only a comparison finds. */
async function spoilOne(bench: Workbench, sessions: CarriedSessions, world: World): Promise<void> {
  expect((await sessions.carry(world.id(0))).state).toBe('live');
  for (const url of bench.shardUrls) {
    await bench.database(url).query(`UPDATE user_session SET authorities = '["admin"]', username = 'somebody else'`);
  }
}

function run(order: CrashOrder): Promise<number | string> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, ['--conditions=source', child, JSON.stringify(order)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    process_.stderr.on('data', (text: Buffer) => (output += text.toString()));
    process_.once('close', (code, signal) => (code === null || code === 0 ? resolve(signal ?? 0) : reject(new Error(output))));
  });
}

/** What a caller is told who may ask again: a slot that stayed closed because its migrator was killed, or a machine that stood still. */
const OUTAGES: readonly unknown[] = ['source_unavailable', 'shard_unavailable', 'control_unavailable', 'slot_not_owned'];

async function repeated<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isWherryError(error) || !OUTAGES.includes(error.code)) throw error;
    }
  }
}

/** What an application has done to its sessions, and so what they must be. */
class World {
  readonly #sessions: CarriedSessions;
  readonly #ids: string[] = [];
  readonly #carts = new Map<number, number>();
  readonly #ended = new Set<number>();

  constructor(sessions: CarriedSessions) {
    this.#sessions = sessions;
  }

  add(n: number): string {
    const id = randomBytes(16).toString('base64url');
    this.#ids[n] = id;
    return id;
  }

  id(n: number): string {
    return this.#ids[n] ?? '';
  }

  value(n: number): string {
    const user = { id: n, name: `user${n}`, roles: [`role${n % 5}`] };
    return JSON.stringify({ cookie: { originalMaxAge: 3_600_000, path: '/' }, user, cart: this.#carts.get(n) ?? 0 });
  }

  /** Saves, touches and ends sessions until it is stopped. A call that fails with an outage is repeated, as a client would. */
  keepWriting(): { stop(): Promise<void> } {
    const stop = new AbortController();
    const writing = (async () => {
      for (let turn = 0; !stop.signal.aborted; turn++) {
        const n = (turn * 7) % SESSIONS;
        await new Promise((resolve) => setTimeout(resolve, LIVE_WRITES_MS));
        if (this.#ended.has(n)) continue;
        if (turn % 11 === 10) await this.#end(n);
        else if (turn % 3 === 0) await repeated(() => this.#sessions.touch(this.id(n), 3_600_000));
        else await this.#save(n);
      }
    })();
    return {
      stop: async () => {
        stop.abort();
        await writing;
      },
    };
  }

  async check(): Promise<void> {
    for (const [n, id] of this.#ids.entries()) {
      const read = await this.#sessions.read(id);
      if (this.#ended.has(n)) expect(['ended', 'absent'], `session ${n} came back`).toContain(read.state);
      else {
        expect(read, `session ${n}`).toMatchObject({
          state: 'live',
          userId: String(n),
          username: `user${n}`,
          authorities: [`role${n % 5}`],
        });
        if (read.state === 'live') expect((JSON.parse(read.attributes) as { cart: number }).cart).toBe(this.#carts.get(n) ?? 0);
      }
    }
  }

  async #save(n: number): Promise<void> {
    this.#carts.set(n, (this.#carts.get(n) ?? 0) + 1);
    expect(await repeated(() => this.#sessions.save(this.id(n), this.value(n), 3_600_000))).toBe('saved');
  }

  async #end(n: number): Promise<void> {
    await repeated(() => this.#sessions.end(this.id(n), 'logout'));
    this.#ended.add(n);
  }
}
