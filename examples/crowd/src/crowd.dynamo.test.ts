import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { describeCrowd } from './testing/crowd-suite.ts';

describeCrowd(
  'the crowd and the application on DynamoDB',
  () => ({
    LEGACY_SOURCE: `${inject('dynamoEndpoint').replace('http:', 'dynamodb:')}/sessions-${randomUUID()}`,
  }),
  false,
);
