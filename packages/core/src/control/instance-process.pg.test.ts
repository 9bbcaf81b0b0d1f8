import { spawn, type ChildProcess } from 'node:child_process';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { openDatabase, type Database } from './database.ts';
import { coreSchema } from './index.ts';
import { applySchema } from './schema.ts';

let place: TestDatabase;
let database: Database;
let child: (ChildProcess & { readonly said: () => string[] }) | undefined;

beforeEach(async () => {
  place = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: place.url, statementMs: PATIENT_MS });
  await applySchema(database, [coreSchema]);
});
afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  await database.end();
  await place.drop();
});

/** Short enough to be waited for, and nothing is lost where a pause of the machine ends one early. */
const LEASE_MS = 2000;
/** Who did not run for so long says so. */
const STRETCH_MS = 300;

/** A process that holds a lease under a lifecycle and says, for every stretch in which it did not run, whether it still believes in it. */
function startHolder(leaseMs = LEASE_MS): NonNullable<typeof child> {
  const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    import { openDatabase } from ${here('./database.ts')};
    import { Instance } from ${here('./instance.ts')};
    import { Lifecycle } from ${here('../lifecycle.ts')};
    const database = openDatabase({ url: process.env.CONTROL_URL });
    const lifecycle = new Lifecycle();
    lifecycle.add({ name: 'database', stop: () => database.end() });
    const instance = lifecycle.add(new Instance({ database, role: 'holder', topics: [], leaseMs: ${leaseMs}, renewMs: 50 }));
    lifecycle.endOnSignals();
    await lifecycle.run();
    let last = performance.now();
    let id = '';
    const watch = setInterval(() => {
      const now = performance.now();
      if (now - last > ${STRETCH_MS}) console.log('resumed', instance.leaseValid, instance.holdsLease(id));
      if (instance.id !== id && instance.leaseValid) console.log('id', (id = instance.id));
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

/** True when every registration that there ever was has lapsed. */
const allLapsed = async (): Promise<boolean> => {
  const { rows } = await database.query<{ lapsed: boolean | null }>('SELECT bool_and(lease_until <= wherry_now()) AS lapsed FROM instance');
  return rows[0]?.lapsed ?? false;
};
const statesOf = async (): Promise<ReadonlyMap<string, string>> => {
  const { rows } = await database.query<{ id: string; state: string }>('SELECT id, state FROM instance');
  return new Map(rows.map(({ id, state }) => [id, state]));
};

test('a process that was stopped past its lease does not believe in it when it runs on, and registers under a new id', async () => {
  child = startHolder();
  const { said } = child;
  await vi.waitFor(() => expect(said()).toContainEqual(expect.stringMatching(/^id /)));
  child.kill('SIGSTOP');
  const stoppedAt = performance.now();
  await vi.waitFor(
    async () => {
      expect(performance.now() - stoppedAt).toBeGreaterThan(2 * STRETCH_MS);
      expect(await allLapsed()).toBe(true);
    },
    { interval: 20 },
  );
  const before = [...(await statesOf()).keys()];
  const lines = said().length;
  child.kill('SIGCONT');
  await vi.waitFor(() => expect(said().slice(lines)).toContainEqual(expect.stringMatching(/^id /)));
  const [resumed, ...rest] = said().slice(lines);
  expect(resumed).toBe('resumed false false');
  expect(before.map((id) => `id ${id}`)).not.toContain(rest.find((line) => line.startsWith('id ')));
  // Nobody said that the lapsed ones had left in order.
  const after = await statesOf();
  expect(before.map((id) => after.get(id))).toEqual(before.map(() => 'live'));
});

test('a process that is killed leaves a row that lapses; one that is asked to end leaves by itself', async () => {
  child = startHolder();
  const { said } = child;
  await vi.waitFor(() => expect(said()).toContainEqual(expect.stringMatching(/^id /)));
  child.kill('SIGKILL');
  await vi.waitFor(async () => expect(await allLapsed()).toBe(true), { interval: 20 });
  expect([...(await statesOf()).values()]).not.toContain('left');

  child = startHolder(600_000);
  const orderly = child;
  await vi.waitFor(() => expect(orderly.said()).toContainEqual(expect.stringMatching(/^id /)));
  const closed = new Promise((resolve) => orderly.once('close', resolve));
  orderly.kill('SIGTERM');
  expect(await closed).toBe(0);
  const id =
    orderly
      .said()
      .find((line) => line.startsWith('id '))
      ?.slice(3) ?? '';
  expect((await statesOf()).get(id)).toBe('left');
});
