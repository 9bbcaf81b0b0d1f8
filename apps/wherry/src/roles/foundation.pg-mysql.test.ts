import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { openFoundation, prepareDatabases } from './foundation.ts';

let databases: TestDatabase[];
beforeAll(async () => {
  databases = await Promise.all(
    [inject('postgresUrl'), inject('mysqlUrl'), inject('postgresUrl')].map(async (url) => createTestDatabase(url)),
  );
});
afterAll(async () => Promise.all(databases.map(async (database) => database.drop())));

test('shards of both dialects are prepared, and again, and hold all tables', async () => {
  const [controlUrl = '', ...shardUrls] = databases.map(({ url }) => url);
  const environment = {
    WHERRY_CONTROL_URL: controlUrl,
    WHERRY_SHARDS_URLS: shardUrls.join(','),
    WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
  };
  const { config } = loadConfig({ environment });
  for (let i = 0; i < 2; i++) await prepareDatabases(config);
  const { shards, component } = openFoundation(config, 'test');
  try {
    const counts = async (table: string): Promise<number[]> =>
      Promise.all(
        shards.all.map(async ({ database }) =>
          Number((await database.query<{ n: bigint }>(`SELECT COUNT(*) AS n FROM ${table}`)).rows[0]?.n),
        ),
      );
    expect(await counts('slot_owner')).toEqual([8192, 8192]);
    for (const table of ['user_session', 'token_family', 'app_user', 'username']) expect(await counts(table)).toEqual([0, 0]);
  } finally {
    await component.stop?.();
  }
});
