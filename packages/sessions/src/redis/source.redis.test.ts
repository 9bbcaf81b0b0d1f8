import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { RedisStore } from 'connect-redis';
import { createClient, RESP_TYPES } from 'redis';
import { inject } from 'vitest';
import type { LegacyPeer, SourceFixture } from '../testing/source-fixture.ts';
import { describeSourceConformance } from '../testing/source-conformance.ts';
import { createRedisSource } from './source.ts';

/** A database of its own in the server: counts look at everything that lies there, and other tests put much there. */
function ownDatabase(): string {
  const url = new URL(inject('redisUrl'));
  url.pathname = '/13';
  return url.href;
}

async function byUrl(): Promise<SourceFixture> {
  const prefix = `${randomBytes(6).toString('hex')}:`;
  const url = ownDatabase();
  const client = await createClient({ url }).connect();
  const source = createRedisSource({ url, prefix, timeoutMs: PATIENT_MS });
  const dispose = async (): Promise<void> => {
    await source.close();
    await client.close();
  };
  return { source, legacy: new RedisStore({ client, prefix }) as unknown as LegacyPeer, dispose };
}

/** A client whose options change what replies look like, and a prefix with a hash tag and glob characters. */
async function byClient(): Promise<SourceFixture> {
  const prefix = `{app}[s*]${randomBytes(6).toString('hex')}:`;
  const url = ownDatabase();
  const client = await createClient({ url, RESP: 2, commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } }).connect();
  const source = createRedisSource({ client, prefix, location: 'the application', timeoutMs: PATIENT_MS });
  const peer = await createClient({ url }).connect();
  const dispose = async (): Promise<void> => {
    await source.close();
    await client.close();
    await peer.close();
  };
  return { source, legacy: new RedisStore({ client: peer, prefix }) as unknown as LegacyPeer, dispose };
}

describeSourceConformance('Redis by URL', byUrl, { maxValueBytes: 400_000 });
describeSourceConformance('Redis by the client of the application', byClient, { maxValueBytes: 400_000 });
