import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createMongoSource } from '@wherry/sessions/mongodb';
import { inject } from 'vitest';
import { describeWrapped } from './testing/wrapped-suite.ts';

const database = `wrapped_${randomBytes(4).toString('hex')}`;

// Kept as documents, the harder one of connect-mongo's two ways.
describeWrapped({
  location: () => ({ kind: 'mongodb', url: inject('mongoUrl') + database, stringify: false }),
  open: (prefix) => createMongoSource({ url: inject('mongoUrl') + database, prefix, timeoutMs: PATIENT_MS }),
});
