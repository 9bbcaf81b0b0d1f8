import { randomBytes } from 'node:crypto';
import '@wherry/embedded/testing';
import { createDynamoSource } from '@wherry/sessions/dynamodb';
import { inject } from 'vitest';
import { openLegacyStore } from '../support/legacy-store.ts';
import { describeModel } from './testing/model-suite.ts';

const table = `model-${randomBytes(6).toString('hex')}`;

describeModel({
  runs: 20,
  limitMs: 60_000,
  open: async () => {
    const endpoint = inject('dynamoEndpoint');
    const prefix = `${randomBytes(6).toString('hex')}:`;
    const legacy = await openLegacyStore({ kind: 'dynamodb', endpoint, table }, prefix);
    const connection = { endpoint, region: 'local', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
    const source = createDynamoSource({ connection, table, prefix });
    return {
      source,
      legacySet: legacy.set,
      legacyGet: legacy.get,
      close: async () => {
        await source.close();
        await legacy.close();
      },
    };
  },
});
