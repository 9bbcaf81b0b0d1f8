import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { Sealer } from '@wherry/core';
import { inject } from 'vitest';
import { describeSourceConformance } from '../testing/source-conformance.ts';
import type { SourceFixture } from '../testing/source-fixture.ts';
import { createDynamoSource, type DynamoSourceOptions } from './source.ts';
import { connection, createSessionTable } from '../testing/dynamo-session-table.ts';

async function fixture(options: DynamoSourceOptions): Promise<SourceFixture> {
  const { table, client, store, drop } = await createSessionTable(inject('dynamoEndpoint'), options);
  const source = createDynamoSource({ table, timeoutMs: PATIENT_MS, ...(options.connection === undefined ? { client } : {}), ...options });
  const dispose = async (): Promise<void> => {
    await source.close();
    await drop();
  };
  return { source, legacy: store, dispose };
}

const capabilities = { maxValueBytes: 400_000 };
describeSourceConformance('DynamoDB by connection', () => fixture({ connection: connection(inject('dynamoEndpoint')) }), capabilities);
describeSourceConformance(
  'DynamoDB by the client of the application, other names, sealed cursors',
  () => fixture({ prefix: 'app/', hashKey: 'sid', segments: 3, sealer: new Sealer(randomBytes(32), 'cursor') }),
  capabilities,
);
