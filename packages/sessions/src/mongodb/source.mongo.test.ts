import { randomBytes } from 'node:crypto';
import { Sealer } from '@wherry/core';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createWebCryptoAdapter } from 'connect-mongo';
import { describe, inject } from 'vitest';
import { createMongoSessionStore, type ConnectMongoOptions } from '../testing/mongo-session-store.ts';
import { describeSourceConformance } from '../testing/source-conformance.ts';
import type { SourceFixture } from '../testing/source-fixture.ts';
import { describeLegacyPeer } from '../testing/source-legacy.ts';
import { krupteinCipher, webCryptoCipher } from './cipher.ts';
import { createMongoSource, type MongoSourceOptions } from './source.ts';
import { fromStoredText } from './stored-text.ts';

async function fixture(options: MongoSourceOptions, theirs: ConnectMongoOptions, byUrl = false): Promise<SourceFixture> {
  const { client, database, store, drop } = await createMongoSessionStore(inject('mongoUrl'), theirs);
  const access = byUrl ? { url: inject('mongoUrl') } : { client };
  const source = createMongoSource({ ...access, database, timeoutMs: PATIENT_MS, ...options });
  const dispose = async (): Promise<void> => {
    await source.close();
    await drop();
  };
  return { source, legacy: store, dispose };
}

const capabilities = { maxValueBytes: 400_000 };
const secret = 'kept by the application';

describeSourceConformance('MongoDB by URL, sessions as text', () => fixture({}, {}, true), capabilities);
describeSourceConformance(
  'MongoDB by the client of the application, sessions as documents, other names, sealed cursors',
  () =>
    fixture(
      { layout: 'document', collection: 'app.sessions', prefix: 'app/', sealer: new Sealer(randomBytes(32), 'cursor') },
      { stringify: false, collectionName: 'app.sessions', transformId: (id) => `app/${id}`, touchAfter: 3600 },
    ),
  { ...capabilities, plain: (value) => JSON.parse(JSON.stringify(fromStoredText(value))) as unknown },
);

describe.each([
  ['its option crypto', krupteinCipher(secret), { crypto: { secret } }],
  ['its option crypto, sessions as documents', krupteinCipher(secret), { crypto: { secret }, stringify: false }],
  ['Web Crypto', webCryptoCipher(secret), { cryptoAdapter: createWebCryptoAdapter({ secret }), timestamps: true }],
])('MongoDB, sessions encrypted by %s', (_, cipher, theirs) => {
  describeLegacyPeer(() => fixture({ cipher }, theirs), capabilities);
});
