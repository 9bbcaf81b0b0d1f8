import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { describeApp } from './testing/app-suite.ts';
import { describeStatelessApp } from './testing/stateless-suite.ts';

describeApp('the application on connect-dynamodb', () => ({
  LEGACY_SOURCE: `${inject('dynamoEndpoint').replace('http:', 'dynamodb:')}/sessions-${randomUUID()}`,
}));

describeStatelessApp('the application without sessions, its carts in DynamoDB', () => ({
  LEGACY_SOURCE: `${inject('dynamoEndpoint').replace('http:', 'dynamodb:')}/sessions-${randomUUID()}`,
}));
