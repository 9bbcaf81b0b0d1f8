import { spawn, type ChildProcess } from 'node:child_process';
import { createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { openDatabase, type Database } from './database.ts';
import { coreSchema } from './index.ts';
import { applySchema } from './schema.ts';

let place: TestDatabase;
let database: Database;
let child: (ChildProcess & { readonly said: () => string[] }) | undefined;

beforeEach(async () => {
  place = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: place.url });
  await applySchema(database, [coreSchema]);
});
afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  await database.end();
  await place.drop();
});

const LEASE_MS = 800;

/** A process that holds a lease under a lifecycle and says, for every stretch in which it did not run, whether it still believes in it. */
function startHolder(): NonNullable<typeof child> {
  const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    import { openDatabase } from ${here('./database.ts')};
    import { Instance } from ${here('./instance.ts')};
    import { Lifecycle } from ${here('../lifecycle.ts')};
    const database = openDatabase({ url: process.env.CONTROL_URL });
    const lifecycle = new Lifecycle();
    lifecycle.add({ name: 'database', stop: () => database.end() });
    const instance = lifecycle.add(new Instance({ database, role: 'holder', topics: [], leaseMs: ${LEASE_MS}, renewMs: 50 }));
    lifecycle.endOnSignals();
    await lifecycle.run();
    console.log('id', instance.id, instance.leaseValid);
    let last = performance.now();
    let id = instance.id;
    const watch = setInterval(() => {
      const now = performance.now();
      if (now - last > ${LEASE_MS * 0.6}) console.log('resumed', instance.leaseValid, instance.holdsLease(id));
      if (instance.id !== id && instance.leaseValid) console.log('id', (id = instance.id), instance.leaseValid);
      last = now;
    }, 1);
    await lifecycle.ended;
    clearInterval(watch);`;
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CONTROL_URL: place.url },
  });
  let output = '';
  process_.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return Object.assign(process_, { said: () => output.split('\n').slice(0, -1) });
}

const lapsed = async (id: string): Promise<boolean> => {
  const { rows } = await database.query<{ lapsed: boolean }>('SELECT lease_until <= wherry_now() AS lapsed FROM instance WHERE id = $1', [
    id,
  ]);
  return rows[0]?.lapsed ?? false;
};
const idOf = (line: string | undefined): string => line?.split(' ')[1] ?? '';

test('a process that was stopped past its lease does not believe in it when it runs on, and registers under a new id', async () => {
  child = startHolder();
  const { said } = child;
  await vi.waitFor(() => expect(said()[0]).toMatch(/^id \S+ true$/), 10_000);
  const id = idOf(said()[0]);
  child.kill('SIGSTOP');
  await vi.waitFor(async () => expect(await lapsed(id)).toBe(true), { timeout: 5000, interval: 20 });
  child.kill('SIGCONT');
  await vi.waitFor(() => expect(said().length).toBeGreaterThan(2), 10_000);
  expect(said().at(-2)).toBe('resumed false false');
  expect(idOf(said().at(-1))).not.toBe(id);
  const { rows } = await database.query(`SELECT state FROM instance WHERE id = $1`, [id]);
  expect(rows).toEqual([{ state: 'live' }]);
  expect(await lapsed(id)).toBe(true);
});

test('a process that is killed leaves a row that lapses; one that is asked to end leaves by itself', async () => {
  child = startHolder();
  const { said } = child;
  await vi.waitFor(() => expect(said()[0]).toMatch(/^id/), 10_000);
  child.kill('SIGKILL');
  await vi.waitFor(async () => expect(await lapsed(idOf(said()[0]))).toBe(true), { timeout: 5000, interval: 20 });

  child = startHolder();
  const orderly = child;
  await vi.waitFor(() => expect(orderly.said()[0]).toMatch(/^id/), 10_000);
  const closed = new Promise((resolve) => orderly.once('close', resolve));
  orderly.kill('SIGTERM');
  expect(await closed).toBe(0);
  const { rows } = await database.query(`SELECT state FROM instance WHERE id = $1`, [idOf(orderly.said()[0])]);
  expect(rows).toEqual([{ state: 'left' }]);
});
