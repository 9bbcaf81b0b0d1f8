import { randomBytes } from 'node:crypto';
import { PATIENT_MS, openWay } from '@wherry/embedded/testing';
import { carriedSessionKey, listDeadLetters } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { viewParts } from '../journal/work-parts.ts';
import { changeMigration, readMigration } from '../journal/state.ts';
import { slicedSource } from '../testing/sliced-source.ts';
import { Workbench } from '../testing/workbench.ts';

const client = createClient({ url: inject('redisUrl') });
beforeAll(async () => {
  await client.connect();
});
afterAll(() => client.destroy());

const LIFE = { expiration: { type: 'EX', value: 3600 } } as const;

function valueOf(name: string, more: object = {}): string {
  return JSON.stringify({ cookie: { originalMaxAge: 3_600_000, path: '/' }, user: { id: 1, name, roles: ['r'] }, ...more });
}

function newPrefix(): string {
  return `faults-${randomBytes(4).toString('hex')}:`;
}

test('enormous and hostile sessions hold nobody else up: each is carried or a dead letter', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const prefix = newPrefix();
  const put = (id: string, value: string | Buffer): Promise<unknown> => client.set(prefix + id, value, LIFE);
  for (let n = 0; n < 60; n++) await put(`good${n}`, valueOf(`user${n}`));
  const attributes = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`attribute${n}`, n]));
  await put('many', valueOf('many', attributes));
  await put('huge', valueOf('huge', { text: 'x'.repeat(64 * 1024 * 1024) }));
  await put('deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  await put('bytes', Buffer.concat([Buffer.from('{"cookie":{},"user":{"id":'), Buffer.of(0xff, 0xfe, 0x00, 0xc3), Buffer.from('}}')]));
  await put('nothing', '');
  // Two that the shard refuses: for their values, and for a reason of its own.
  await put('refused', valueOf('refused'));
  await put('odd', valueOf('odd'));
  for (const url of bench.shardUrls) {
    await bench.database(url).query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = CASE NEW.username WHEN 'odd' THEN 'XX000' ELSE '22000' END; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON user_session FOR EACH ROW WHEN (NEW.username IN ('refused', 'odd')) EXECUTE FUNCTION refuse()`);
  }
  const source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  const running = await bench.migrator(source, { batchSize: 50 });
  await changeMigration(running.context.control, { goalPercent: 0 }, { actor: 'test' });
  await running.migrator.atGoal();
  const { target, control } = running.context;
  const good = await target.getMany(Array.from({ length: 60 }, (_, n) => carriedSessionKey(`good${n}`)));
  expect(good.every(({ state }) => state === 'live')).toBe(true);
  expect(await target.get(carriedSessionKey('many'))).toMatchObject({ state: 'live', record: { attributes: valueOf('many', attributes) } });
  const reasons = new Map((await listDeadLetters(control, 20)).map(({ id, reason }) => [id, reason]));
  expect(
    Object.fromEntries(
      ['huge', 'deep', 'bytes', 'nothing', 'refused', 'odd'].map((id) => [id, reasons.get(String(carriedSessionKey(id).id))]),
    ),
  ).toEqual({ huge: 'too_large', deep: 'too_deep', bytes: 'not_json', nothing: 'not_json', refused: 'unstorable', odd: 'unstorable' });
  expect(reasons.size).toBe(6);
});

test('a worker that is cut off from one shard leaves its part to one that is not', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const prefix = newPrefix();
  const slices = ['a', 'b', 'c', 'd'];
  const ids = Array.from({ length: 80 }, (_, n) => `${slices[n % 4]}${n}`);
  for (const id of ids) await client.set(prefix + id, valueOf(id), LIFE);
  const source = slicedSource({ client, prefix, timeoutMs: PATIENT_MS }, slices);
  await using way = await openWay(bench.shardUrls[1] ?? '');
  const cutOff = Workbench.attach({ ...bench.address, shardUrls: [bench.shardUrls[0] ?? '', way.url] });
  const notes: string[] = [];
  // The first leads; its way is cut while it works.
  const first = await cutOff.migrator(source, {
    batchSize: 5,
    patienceMs: 100,
    progress: { progress: () => undefined, note: (text) => notes.push(text) },
    at: async (point) => {
      if (point === 'copy.page-read') way.sever();
      await Promise.resolve();
    },
  });
  try {
    const { control } = first.context;
    await changeMigration(control, { goalPercent: 0 }, { actor: 'test' });
    await expect.poll(() => notes.some((note) => note.includes('left to others')), { timeout: PATIENT_MS }).toBe(true);
    const second = await bench.migrator(source, { batchSize: 5 });
    const copied = async (): Promise<boolean> => {
      const parts = await viewParts(control, 'copy');
      return parts.length === 4 && parts.every(({ done }) => done);
    };
    await expect.poll(copied, { timeout: PATIENT_MS }).toBe(true);
    const rows = await second.context.target.getMany(ids.map((id) => carriedSessionKey(id)));
    expect(rows.every(({ state }) => state === 'live')).toBe(true);
    way.mend();
    await first.migrator.atGoal();
  } finally {
    await cutOff.close();
  }
});

test('all leases lapse at once, as when the clock of control jumps: each process registers anew and goes on from the checkpoints', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const prefix = newPrefix();
  const ids = Array.from({ length: 60 }, (_, n) => `a${n}`);
  for (const id of ids) await client.set(prefix + id, valueOf(id), LIFE);
  const source = slicedSource({ client, prefix, timeoutMs: PATIENT_MS }, ['a', 'b']);
  let passed = 0;
  const refused: string[] = [];
  const running = await bench.migrator(source, {
    batchSize: 5,
    at: async (point) => {
      if (point !== 'copy.page-written' || ++passed !== 2) return;
      await bench.database(bench.controlUrl).query('UPDATE instance SET lease_until = 0');
      refused.push((await readMigration(running.context.control)).step);
    },
  });
  await changeMigration(running.context.control, { goalPercent: 0 }, { actor: 'test' });
  await running.migrator.atGoal();
  expect(refused).toEqual(['copy']);
  // What was registered first is not what finished.
  const { rows } = await running.context.control.query<{ state: string }>(
    `SELECT state FROM instance WHERE role = 'migrator' ORDER BY started_at`,
  );
  expect(rows.length).toBeGreaterThan(1);
  const found = await running.context.target.getMany(ids.map((id) => carriedSessionKey(id)));
  expect(found.every(({ state }) => state === 'live')).toBe(true);
});
