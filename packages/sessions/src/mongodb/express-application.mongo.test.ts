import { PATIENT_MS } from '@wherry/embedded/testing';
import { inject } from 'vitest';
import { describeExpressApplication } from '../testing/express-application.ts';
import { createMongoSessionStore } from '../testing/mongo-session-store.ts';
import { createMongoSource } from './source.ts';

describeExpressApplication('connect-mongo', async () => {
  const { client, database, expressStore, drop } = await createMongoSessionStore(inject('mongoUrl'));
  return { store: expressStore, source: createMongoSource({ client, database, timeoutMs: PATIENT_MS }), dispose: drop };
});
