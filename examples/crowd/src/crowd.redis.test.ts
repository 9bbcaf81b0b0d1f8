import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { describeCrowd } from './testing/crowd-suite.ts';

describeCrowd(
  'the crowd and the application on Redis',
  () => ({
    LEGACY_SOURCE: inject('redisUrl'),
    LEGACY_KEY_PREFIX: `${randomUUID()}:`,
  }),
  true,
);
