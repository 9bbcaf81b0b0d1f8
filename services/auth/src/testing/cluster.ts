import { applySchema, coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { createTestDatabase } from '@wherry/embedded/testing';
import { revocationSchema } from '@wherry/revocation';
import { rolloutSchema } from '@wherry/rollout';
import { sessionsControlSchema } from '@wherry/sessions';
import { sessionsShardSchema } from '@wherry/sessions/sql';
import { ShardSet, initialiseSlotMap, installSlotMap, shardSchema, shardsControlSchema, type PrimarySide } from '@wherry/shards';
import { tokensSchema } from '@wherry/tokens';
import { authShardSchema } from '../users/shard-schema.ts';

/** A control database and two shards of one test file. */
export interface Cluster extends AsyncDisposable {
  readonly control: Database;
  readonly shards: ShardSet;
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
  /** Connections of their own, as another process has them; the caller ends them. */
  connect(addresses?: Addresses): Connections;
}

/** Where databases are reached, if not where they are. */
export interface Addresses {
  readonly controlUrl?: string;
  readonly shardUrls?: readonly string[];
}

/** Connections of one process. */
export interface Connections {
  readonly control: Database;
  readonly shards: ShardSet;
}

/** Creates the databases, applies the schemas and spreads the slots. */
export async function startCluster(serverUrl: string, side: PrimarySide = 'source'): Promise<Cluster> {
  const [controlDatabase, ...shardDatabases] = await Promise.all([0, 1, 2].map(async () => createTestDatabase(serverUrl)));
  if (controlDatabase === undefined) throw new Error('no control database');
  const own = { controlUrl: controlDatabase.url, shardUrls: shardDatabases.map(({ url }) => url) };
  const connect = ({ controlUrl = own.controlUrl, shardUrls = own.shardUrls }: Addresses = {}): Connections => ({
    control: openDatabase({ url: controlUrl, poolSize: 8 }),
    shards: new ShardSet({ shards: shardUrls.map((url, i) => ({ name: `shard-${i}`, url })) }),
  });
  const { control, shards } = connect();
  const controlParts = [coreSchema, shardsControlSchema, revocationSchema, tokensSchema, rolloutSchema, sessionsControlSchema];
  await applySchema(control, controlParts);
  await initialiseSlotMap(control, 2, side);
  await Promise.all(shards.all.map(async ({ database }) => applySchema(database, [shardSchema, sessionsShardSchema, authShardSchema])));
  await installSlotMap(
    control,
    shards.all.map(({ database }) => database),
  );
  return {
    control,
    shards,
    ...own,
    connect,
    [Symbol.asyncDispose]: async () => {
      await shards.stop();
      await control.end();
      await Promise.all([controlDatabase, ...shardDatabases].map(async (database) => database.drop()));
    },
  };
}
