import { PATIENT_MS } from '@wherry/embedded/testing';
import { inject } from 'vitest';
import { createSessionTable } from '../testing/dynamo-session-table.ts';
import { describeExpressApplication } from '../testing/express-application.ts';
import { createDynamoSource } from './source.ts';

describeExpressApplication('connect-dynamodb', async () => {
  const { client, table, expressStore, drop } = await createSessionTable(inject('dynamoEndpoint'));
  return { store: expressStore, source: createDynamoSource({ client, table, timeoutMs: PATIENT_MS }), dispose: drop };
});
