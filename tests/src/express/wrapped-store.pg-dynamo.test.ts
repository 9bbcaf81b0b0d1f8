import { randomBytes } from 'node:crypto';
import '@wherry/embedded/testing';
import { createDynamoSource } from '@wherry/sessions/dynamodb';
import { inject } from 'vitest';
import { describeWrapped } from './testing/wrapped-suite.ts';

const table = `wrapped-${randomBytes(6).toString('hex')}`;

describeWrapped({
  location: () => ({ kind: 'dynamodb', endpoint: inject('dynamoEndpoint'), table }),
  open: (prefix) =>
    createDynamoSource({
      connection: {
        endpoint: inject('dynamoEndpoint'),
        region: 'local',
        credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      },
      table,
      prefix,
    }),
});
