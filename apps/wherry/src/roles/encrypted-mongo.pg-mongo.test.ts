import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifecycle, silentLogger } from '@wherry/core';
import { openDatabase } from '@wherry/core/control';
import { createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { listDeadLetters, sourceRefKeyOf, sourceRefKeyText } from '@wherry/sessions';
import { connectWherry } from '@wherry/sessions/express';
import { MongoStore } from 'connect-mongo';
import { expect, inject, onTestFinished, test } from 'vitest';
import { loadConfig, requireMasterKey } from '../config/index.ts';
import { run } from '../testing/recording-terminal.ts';
import { prepareDatabases } from './foundation.ts';
import { addMigratorRole } from './migrator.ts';
import { openSource, sourceDecoder } from './source.ts';

const SECRET = 'kept by the application';
const LIFE_MS = 3_600_000;
const USERS = 40;

interface Session {
  readonly user: { readonly id: number; readonly name: string; readonly roles: readonly string[] };
}

const session = (id: number, roles: readonly string[]): Session & { readonly cookie: object } => ({
  cookie: { originalMaxAge: LIFE_MS, expires: new Date(Date.now() + LIFE_MS), httpOnly: true, path: '/' },
  user: { id, name: `grace${id}`, roles },
});

/** The application's own store, which encrypts. */
function openStore(url: string) {
  const store = MongoStore.create({ mongoUrl: url, collectionName: 'app.sessions', crypto: { secret: SECRET }, autoRemove: 'disabled' });
  const get = (id: string): Promise<Session | null> =>
    new Promise((resolve, reject) =>
      store.get(id, (error, found) => (error ? reject(error as Error) : resolve(found as unknown as Session))),
    );
  const set = (id: string, value: object): Promise<void> =>
    new Promise((resolve, reject) => store.set(id, value as never, (error) => (error ? reject(error as Error) : resolve())));
  return { get, set, close: () => store.close() };
}

test('the program plans, carries over and brings back what connect-mongo keeps encrypted', async () => {
  const databases: TestDatabase[] = [];
  onTestFinished(async () => {
    for (const database of databases) await database.drop();
  });
  for (let n = 0; n < 3; n++) databases.push(await createTestDatabase(inject('postgresUrl')));
  const [controlUrl = '', ...shardUrls] = databases.map(({ url }) => url);
  const url = `${inject('mongoUrl')}encrypted_${randomBytes(4).toString('hex')}`;
  const store = openStore(url);
  onTestFinished(() => store.close());
  for (let n = 0; n < USERS; n++) await store.set(`sid-${n}`, session(n, ['staff']));

  const source = {
    WHERRY_SOURCE_URL: `${url}?collection=app.sessions`,
    WHERRY_SOURCE_ENCRYPTION: 'kruptein',
    WHERRY_SOURCE_ENCRYPTION_SECRET: SECRET,
  };
  const folder = await mkdtemp(join(tmpdir(), 'wherry-plan-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const plan = await run(`migrate plan --out ${folder}`, source);
  expect(plan).toMatchObject({ code: 0, err: '' });
  expect(plan.out).toMatch(/^format +connect-mongo$/m);
  expect(plan.out).toMatch(new RegExp(`^sessions +${USERS}$`, 'm'));
  expect(JSON.parse(await readFile(join(folder, 'mapping.json'), 'utf8'))).toMatchObject({ source: { identity: { userId: 'user.id' } } });

  const environment = {
    ...source,
    WHERRY_CONTROL_URL: controlUrl,
    WHERRY_SHARDS_URLS: shardUrls.join(','),
    WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
    WHERRY_MIGRATOR_PORT: '0',
  };
  const { config } = loadConfig({ environment });
  await prepareDatabases(config);
  const control = openDatabase({ url: controlUrl });
  onTestFinished(() => control.end());
  const lifecycle = new Lifecycle({ log: silentLogger });
  const service = await addMigratorRole(lifecycle, config, silentLogger, { writers: 'none', shadowMs: 300 });
  onTestFinished(() => lifecycle.end());
  await lifecycle.run();
  const { migration } = service;
  await migration.migrator.atGoal();
  expect(await listDeadLetters(control, 10)).toEqual([]);

  const wherry = await connectWherry({ controlUrl, shardUrls, sourceRefKey: sourceRefKeyText(sourceRefKeyOf(requireMasterKey(config))) });
  onTestFinished(() => wherry.close());
  const opened = await openSource(config);
  onTestFinished(() => opened.close());
  const sessions = wherry.runtime.carry({ source: opened, decode: sourceDecoder(config) });
  for (let n = 0; n < USERS; n++) {
    expect(await sessions.read(`sid-${n}`)).toMatchObject({ state: 'live', side: 'target', userId: String(n), authorities: ['staff'] });
  }
  expect(await sessions.save('sid-1', JSON.stringify(session(1, ['staff', 'admin'])), LIFE_MS)).toBe('saved');
  await sessions.end('sid-2', 'logout');

  await changeMigration(control, { goal: 'source', goalPercent: 100 }, { actor: 'ada' });
  await migration.migrator.atGoal();
  for (let n = 0; n < USERS; n++) {
    const roles = n === 1 ? ['staff', 'admin'] : ['staff'];
    const found = await store.get(`sid-${n}`);
    if (n === 2) expect(found).toBeNull();
    else expect(found).toMatchObject({ user: { id: n, name: `grace${n}`, roles } });
  }
});
