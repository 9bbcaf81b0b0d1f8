import { PATIENT_MS, createTestDatabase } from '@wherry/embedded/testing';
import { openDatabase, type Database } from '../control/database.ts';
import { applySchema, type SchemaPart } from '../control/schema.ts';

/** A control database of one test file, dropped when it is disposed of. */
export interface ControlDatabase extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
}

/** Creates it on the server at `serverUrl`; without a schema it is empty. Statements are bound by a minute: deadlines are tested by themselves. */
export async function createControlDatabase(serverUrl: string, schema: readonly SchemaPart[] = []): Promise<ControlDatabase> {
  const { url, drop } = await createTestDatabase(serverUrl);
  const database = openDatabase({ url, statementMs: PATIENT_MS });
  if (schema.length > 0) await applySchema(database, schema);
  return {
    url,
    database,
    [Symbol.asyncDispose]: async () => {
      await database.end();
      await drop();
    },
  };
}
