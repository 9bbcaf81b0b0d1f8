import { PATIENT_MS } from '@wherry/embedded/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import { inject } from 'vitest';
import { describeWrapped } from './testing/wrapped-suite.ts';

describeWrapped({
  location: () => ({ kind: 'redis', url: inject('redisUrl') }),
  open: (prefix) => createRedisSource({ url: inject('redisUrl'), prefix, timeoutMs: PATIENT_MS }),
});
