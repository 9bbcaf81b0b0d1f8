import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { RedisStore } from 'connect-redis';
import { createClient } from 'redis';
import { inject } from 'vitest';
import { describeExpressApplication } from '../testing/express-application.ts';
import { createRedisSource } from './source.ts';

describeExpressApplication('connect-redis', async () => {
  const prefix = `${randomBytes(6).toString('hex')}:`;
  const client = await createClient({ url: inject('redisUrl') }).connect();
  const source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  return { store: new RedisStore({ client, prefix }), source, dispose: () => client.close() };
});
