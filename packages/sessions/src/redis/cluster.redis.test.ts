import { PATIENT_MS } from '@wherry/embedded/testing';
import { startRedisCluster, type RedisCluster } from '@wherry/embedded';
import { RedisStore } from 'connect-redis';
import { createCluster } from 'redis';
import { afterAll, beforeAll } from 'vitest';
import { describeSourceConformance } from '../testing/source-conformance.ts';
import type { LegacyPeer, SourceFixture } from '../testing/source-fixture.ts';
import { createRedisSource } from './source.ts';

let cluster: RedisCluster;
let used = 0;
beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(() => cluster.stop());

async function fixture(): Promise<SourceFixture> {
  const prefix = `p${used++}:`;
  // Counts look at everything that lies there, and a cluster has one database.
  await Promise.all(cluster.masters.map((node) => node.command('FLUSHALL')));
  const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${cluster.masters[1]?.port}` }] });
  await client.connect();
  const legacy = new RedisStore({ client, prefix }) as unknown as LegacyPeer;
  const source = createRedisSource({ ...(used % 2 === 0 ? { client } : { url: cluster.url }), prefix, timeoutMs: PATIENT_MS });
  const dispose = async (): Promise<void> => {
    await source.close();
    await client.close();
  };
  return { source, legacy, dispose };
}

describeSourceConformance('Redis Cluster', fixture, { maxValueBytes: 400_000 });
