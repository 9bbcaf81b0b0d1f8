import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import { inject } from 'vitest';
import { openLegacyStore } from '../support/legacy-store.ts';
import { describeModel } from './testing/model-suite.ts';

describeModel({
  runs: 100,
  limitMs: 150_000,
  open: async () => {
    const url = inject('redisUrl');
    const prefix = `model-${randomBytes(6).toString('hex')}:`;
    const legacy = await openLegacyStore({ kind: 'redis', url }, prefix);
    const source = createRedisSource({ url, prefix, timeoutMs: PATIENT_MS });
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
