import { PATIENT_MS } from '@wherry/embedded/testing';
import { startRedisSentinels, type RedisSentinels } from '@wherry/embedded';
import { RedisStore } from 'connect-redis';
import { createSentinel } from 'redis';
import { afterAll, beforeAll } from 'vitest';
import { describeSourceConformance } from '../testing/source-conformance.ts';
import type { LegacyPeer, SourceFixture } from '../testing/source-fixture.ts';
import { createRedisSource } from './source.ts';

let group: RedisSentinels;
let used = 0;
beforeAll(async () => {
  group = await startRedisSentinels();
});
afterAll(() => group.stop());

async function fixture(): Promise<SourceFixture> {
  const prefix = `p${used++}:`;
  await group.master.command('FLUSHALL');
  const sentinelRootNodes = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  const client = await createSentinel({ name: 'sessions', sentinelRootNodes }).connect();
  const legacy = new RedisStore({ client: client as never, prefix }) as unknown as LegacyPeer;
  const source = createRedisSource({ ...(used % 2 === 0 ? { client } : { url: group.url }), prefix, timeoutMs: PATIENT_MS });
  const dispose = async (): Promise<void> => {
    await source.close();
    await client.close();
  };
  return { source, legacy, dispose };
}

describeSourceConformance('Redis under sentinels', fixture, { maxValueBytes: 400_000 });
