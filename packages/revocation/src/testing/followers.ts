import { applySchema, coreSchema, Instance, openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase } from '@wherry/embedded/testing';
import { REVOCATION_TOPIC, RevocationSet, Revocations, revocationSchema, type RevocationSetOptions } from '../index.ts';

/** A control database of a test's own. */
export interface TestControl extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
}

/** One process as the others know it: it follows the revocations and can end things. */
export interface Follower extends AsyncDisposable {
  readonly set: RevocationSet;
  readonly revocations: Revocations;
  readonly instance: Instance;
}

/** How long a record is kept after its time. */
export const KEEP_MS = 120_000;

/** Creates it with the tables of this package. */
export async function startControl(serverUrl: string): Promise<TestControl> {
  const home = await createTestDatabase(serverUrl);
  const database = openDatabase({ url: home.url, statementMs: PATIENT_MS });
  await applySchema(database, [coreSchema, revocationSchema]);
  return {
    url: home.url,
    database,
    [Symbol.asyncDispose]: async () => {
      await database.end();
      await home.drop();
    },
  };
}

/** Starts one on connections of its own to the control database at `url`; resolves when its set is loaded. */
export async function startFollower(url: string, options: Partial<RevocationSetOptions> = {}): Promise<Follower> {
  const database = openDatabase({ url, statementMs: PATIENT_MS });
  const set = new RevocationSet({ database, staleMs: () => instance.staleMs(REVOCATION_TOPIC), ...options });
  const instance: Instance = new Instance({ database, role: 'test', topics: [set], leaseMs: PATIENT_MS });
  const revocations = new Revocations({
    database,
    set,
    keepMs: KEEP_MS,
    acknowledged: (topic, seq, timeoutMs) => instance.acknowledged(topic, seq, timeoutMs),
    propagationMs: PATIENT_MS,
  });
  await instance.run();
  return {
    set,
    revocations,
    instance,
    [Symbol.asyncDispose]: async () => {
      await revocations.drain();
      await instance.stop();
      await database.end();
    },
  };
}
