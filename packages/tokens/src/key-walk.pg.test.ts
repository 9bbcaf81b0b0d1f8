import { Sealer, isWherryError } from '@wherry/core';
import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { readImportedKey } from './imported-key.ts';
import { tokensSchema } from './index.ts';
import { KeyRing } from './key-ring.ts';
import { KeyStore } from './key-store.ts';
import { testKey } from './testing/fixtures.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, tokensSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());

const RANK = ['next', 'active', 'retiring', 'gone'];
const MOST_ROUNDS = 6;
const command = { actor: 'tester' };
const sealer = new Sealer(Buffer.alloc(32, 7), 'signing-key');

interface Row {
  readonly kid: string;
  readonly alg: string;
  readonly state: string;
  readonly sealed: boolean;
}
async function readRows(): Promise<Row[]> {
  const { rows } = await database.query<Row>(
    'SELECT kid, alg, state, sealed_private IS NOT NULL AS sealed FROM signing_key ORDER BY created_at, kid',
  );
  return rows;
}

test('whatever issuers and operators do, one key signs at the most, none comes back, and it all comes to rest with what is wanted', async () => {
  const alg = fc.constantFrom('ES256' as const, 'EdDSA' as const);
  const step = fc.oneof(
    fc.record({ act: fc.constantFrom('start' as const, 'rotate' as const, 'import' as const, 'verify' as const), alg }),
    fc.record({ act: fc.constantFrom('retire' as const, 'remove' as const), at: fc.nat(5) }),
    fc.constant({ act: 'tend' as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      await database.query('TRUNCATE signing_key, key_policy, instance, feed_topic, audit');
      const store = new KeyStore({ database, sealer, lifeS: 600, jwksMaxAgeS: 0 });
      const tend = async (): Promise<void> => {
        await store.ensureShared('ES256');
        await store.maintain();
      };
      let before: Row[] = [];
      for (const one of steps) {
        try {
          switch (one.act) {
            case 'start':
              await store.announce({ alg: one.alg, rsaBits: 2048 });
              break;
            case 'rotate':
              await store.rotate(one.alg, command);
              break;
            case 'import':
            case 'verify':
              await store.import(
                readImportedKey(JSON.stringify(testKey(one.alg).privateKey.export({ format: 'jwk' })), {
                  verifyOnly: one.act === 'verify',
                }),
                command,
              );
              break;
            case 'retire':
            case 'remove':
              await store[one.act](before[one.at]?.kid ?? 'nobody', command);
              break;
            case 'tend':
              await tend();
          }
        } catch (error) {
          if (!isWherryError(error, 'conflict') && !isWherryError(error, 'not_found')) throw error;
        }
        const rows = await readRows();
        for (const { kid, state } of before) {
          const now = rows.find((row) => row.kid === kid);
          expect(RANK.indexOf(now?.state ?? '')).toBeGreaterThanOrEqual(RANK.indexOf(state));
        }
        for (const state of ['next', 'active']) expect(rows.filter((row) => row.state === state).length).toBeLessThanOrEqual(1);
        expect(rows.filter(({ state, sealed }) => state === 'gone' && sealed)).toEqual([]);
        before = rows;
      }
      for (let round = 0; round < MOST_ROUNDS; round++) await tend();
      const rest = await readRows();
      await tend();
      expect(await readRows()).toEqual(rest);
      const wanted = await database.query<{ wanted_alg: string }>('SELECT wanted_alg FROM key_policy');
      expect(rest.filter(({ state }) => state === 'active').map((row) => row.alg)).toEqual([
        wanted.rows[0]?.wanted_alg ?? expect.any(String),
      ]);
      // And whoever starts now can take it all in, and sign.
      const ring = new KeyRing({ database, sealer, staleMs: () => 0 });
      await ring.load(0n);
      expect(ring.signingKey().kid).toBe(rest.find(({ state }) => state === 'active')?.kid);
    }),
    { numRuns: 40 },
  );
});
