import { randomBytes } from 'node:crypto';
import { Lifecycle, silentLogger } from '@wherry/core';
import { createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { createClient } from 'redis';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { loadConfig, type WherryConfig } from '../config/index.ts';
import { addAuthRole } from './auth.ts';
import { prepareDatabases } from './foundation.ts';
import { addGatewayRole } from './gateway.ts';

/** A configuration over databases of this test's own. */
async function configured(environment: Readonly<Record<string, string>>): Promise<WherryConfig> {
  const databases: TestDatabase[] = [];
  onTestFinished(async () => {
    for (const database of databases) await database.drop();
  });
  for (let n = 0; n < 2; n++) databases.push(await createTestDatabase(inject('postgresUrl')));
  const [controlUrl = '', shardUrl = ''] = databases.map(({ url }) => url);
  const { config } = loadConfig({
    environment: {
      WHERRY_CONTROL_URL: controlUrl,
      WHERRY_SHARDS_URLS: shardUrl,
      WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
      WHERRY_AUTH_PORT: '0',
      WHERRY_GATEWAY_PORT: '0',
      ...environment,
    },
  });
  await prepareDatabases(config);
  return config;
}

test('auth tells of a log-out over the configured stream, and the gateway hears of it there', async () => {
  const key = `stream-${randomBytes(4).toString('hex')}`;
  const config = await configured({ WHERRY_REVOCATION_STREAM_URL: inject('redisUrl'), WHERRY_REVOCATION_STREAM_KEY: key });
  const lifecycle = new Lifecycle();
  onTestFinished(() => lifecycle.end());
  const auth = await addAuthRole(lifecycle, config, silentLogger);
  const gateway = await addGatewayRole(lifecycle, config, silentLogger);
  await lifecycle.run();
  const redis = createClient({ url: inject('redisUrl') });
  await redis.connect();
  onTestFinished(() => redis.destroy());
  await vi.waitFor(async () => {
    await auth.runtime.revocations.endSession({ slot: 0, id: 1n, digest: Buffer.alloc(32), reason: 'logout' });
    expect(await redis.xLen(key)).toBeGreaterThan(0);
  });
  await vi.waitFor(async () => {
    await auth.runtime.revocations.endSession({ slot: 0, id: 2n, digest: Buffer.alloc(32), reason: 'logout' });
    const page = await (await fetch(`http://127.0.0.1:${gateway.port}/metrics`)).text();
    expect(page).toMatch(/^wherry_revocation_stream_entries_total\{outcome="applied"\} [1-9]/m);
    expect(page).toMatch(/^wherry_revocation_stream_connected 1$/m);
  });
});
