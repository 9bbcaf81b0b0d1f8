import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Lifecycle, silentLogger } from '@wherry/core';
import { openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { carriedSessionKey, listDeadLetters, sourceRefKeyOf, sourceRefKeyText, type CarriedSessions } from '@wherry/sessions';
import { connectWherry } from '@wherry/sessions/express';
import { createRedisSource } from '@wherry/sessions/redis';
import { beginClosing } from '@wherry/shards';
import { expect, inject, onTestFinished, test } from 'vitest';
import { loadConfig, requireMasterKey } from '../config/index.ts';
import { prepareDatabases } from './foundation.ts';
import { addMigratorRole } from './migrator.ts';
import { sourceDecoder } from './source.ts';

const page = readFileSync(new URL('../../../../docs/5-operations.md', import.meta.url), 'utf8');
/** The statements that the page of operations has for control or for a shard, for a role of another name. */
function grants(place: 'control' | 'shard', role: string): string {
  const block = new RegExp(`\`\`\`sql ${place}\\n([^\`]+)\`\`\``).exec(page)?.[1];
  if (block === undefined) throw new Error(`docs/5-operations.md has no statements for ${place}`);
  return block.replaceAll(/\bapplication\b/g, role);
}

const LIFE_MS = 3_600_000;
const value = (n: number, item: string): string =>
  JSON.stringify({ cookie: { originalMaxAge: LIFE_MS }, user: { id: n, name: `user${n}`, roles: ['user'] }, item });

/** What an application does to its sessions. */
async function use(sessions: CarriedSessions, name: string): Promise<void> {
  expect(await sessions.save(name, value(1, 'first'), LIFE_MS)).toBe('saved');
  expect(await sessions.save(name, value(1, 'second'), LIFE_MS)).toBe('saved');
  // Fewer roles in the same session: its tokens end, for which there is a line in control meanwhile.
  const { user, ...rest } = JSON.parse(value(1, 'third')) as { user: { id: number } };
  expect(await sessions.save(name, JSON.stringify({ ...rest, user: { ...user, roles: [] } }), LIFE_MS)).toBe('saved');
  await sessions.touch(name, LIFE_MS);
  expect(await sessions.read(name)).toMatchObject({ state: 'live', userId: '1' });
  await sessions.end(name, 'logout');
  expect((await sessions.read(name)).state).toBe('ended');
}

test('an application whose database users have what the page of operations gives them works there and back, and reaches no key', async () => {
  const server = openDatabase({ url: inject('postgresUrl') });
  const role = `wherry_test_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const databases: TestDatabase[] = [];
  const opened: Database[] = [];
  onTestFinished(async () => {
    for (const database of opened) await database.end();
    for (const database of databases) await database.drop();
    await server.query(`DROP ROLE IF EXISTS ${role}`);
    await server.end();
  });
  await server.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  for (let n = 0; n < 3; n++) databases.push(await createTestDatabase(inject('postgresUrl')));
  const [controlUrl = '', ...shardUrls] = databases.map(({ url }) => url);
  const prefix = `role-${randomBytes(4).toString('hex')}:`;
  const { config } = loadConfig({
    environment: {
      WHERRY_CONTROL_URL: controlUrl,
      WHERRY_SHARDS_URLS: shardUrls.join(','),
      WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
      WHERRY_SOURCE_URL: inject('redisUrl'),
      WHERRY_SOURCE_PREFIX: prefix,
      WHERRY_MIGRATOR_PORT: '0',
    },
  });
  await prepareDatabases(config);
  const open = (url: string): Database => {
    const database = openDatabase({ url });
    opened.push(database);
    return database;
  };
  const asRole = (url: string): string => Object.assign(new URL(url), { username: role, password }).href;
  const control = open(controlUrl);
  await control.query(grants('control', role));
  for (const url of shardUrls) await open(url).query(grants('shard', role));

  const application = await connectWherry({
    controlUrl: asRole(controlUrl),
    shardUrls: shardUrls.map(asRole),
    sourceRefKey: sourceRefKeyText(sourceRefKeyOf(requireMasterKey(config))),
  });
  onTestFinished(() => application.close());
  const source = createRedisSource({ url: inject('redisUrl'), prefix, timeoutMs: PATIENT_MS });
  onTestFinished(() => source.close());
  const { runtime } = application;
  const sessions = runtime.carry({ source, decode: sourceDecoder(config) });
  for (let n = 0; n < 20; n++) expect(await sessions.save(`stays${n}`, value(n, 'kept'), LIFE_MS)).toBe('saved');

  const lifecycle = new Lifecycle({ log: silentLogger });
  const { migration } = await (async () => {
    const service = await addMigratorRole(lifecycle, config, silentLogger, { writers: 'instrumented', shadowMs: 300 });
    await lifecycle.run();
    return service;
  })();
  onTestFinished(() => lifecycle.end());
  await use(sessions, 'before');
  await migration.migrator.atGoal();
  await use(sessions, 'switched');
  for (let n = 0; n < 20; n++) expect(await sessions.read(`stays${n}`)).toMatchObject({ state: 'live', side: 'target', userId: String(n) });
  await changeMigration(control, { goal: 'source', goalPercent: 100 }, { actor: 'test' });
  await migration.migrator.atGoal();
  await use(sessions, 'rolled back');

  // What only faults lead to: a session of no known form, a write that has to be repeated, a slot whose migrator has gone.
  await sessions.save('broken', '{', LIFE_MS);
  expect(await listDeadLetters(control, 10)).toHaveLength(1);
  const key = carriedSessionKey('stays1');
  await runtime.repairs.add({ slot: key.slot, id: key.id, sourceRef: runtime.refs.seal(key, 'stays1'), cause: 'target_write' });
  await runtime.repairs.stored();
  await beginClosing(control, [key.slot], [runtime.slots.entry(key.slot).epoch], 1);
  await runtime.slots.refresh();
  expect(await sessions.save('stays1', value(1, 'after'), LIFE_MS)).toBe('saved');

  const [asApplication, onShard] = [open(asRole(controlUrl)), open(asRole(shardUrls[0] ?? ''))];
  for (const table of ['signing_key', 'rollout', 'migration', 'login_allowance', 'audit']) {
    await expect(asApplication.query(`SELECT FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
    await expect(asApplication.query(`DELETE FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
  }
  await expect(asApplication.query(`INSERT INTO signing_key (kid) VALUES ('own')`)).rejects.toMatchObject({ code: '42501' });
  for (const table of ['app_user', 'username'])
    await expect(onShard.query(`SELECT FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
});
