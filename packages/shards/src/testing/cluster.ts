import { applySchema, coreSchema, openDatabase, type Database, type SchemaPart } from '@wherry/core/control';
import { createTestDatabase } from '@wherry/embedded/testing';
import { shardSchema, shardsControlSchema } from '../schema.ts';
import type { PrimarySide } from '../slot-entry.ts';
import { SlotFollower } from '../slot-follower.ts';
import { initialiseSlotMap } from '../slot-map-changes.ts';
import { SlotMap } from '../slot-map.ts';
import { installSlotMap } from '../slot-owners.ts';
import { ShardSet, type ShardSetOptions } from '../shard-set.ts';

/** Options of {@link startCluster}. */
export interface ClusterOptions extends Omit<ShardSetOptions, 'shards'> {
  /** Default 2. */
  readonly shardCount?: number;
  /** Primary side of all slots; default source. */
  readonly side?: PrimarySide;
  /** Schema of the shards beside the owners. */
  readonly schema?: readonly SchemaPart[];
}

/** A control database and shards of one test file, with a loaded slot map. */
export interface Cluster extends AsyncDisposable {
  readonly control: Database;
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly follower: SlotFollower;
}

/** Creates the databases, applies the schemas and spreads the slots. */
export async function startCluster(serverUrl: string, options: ClusterOptions = {}): Promise<Cluster> {
  const count = options.shardCount ?? 2;
  const databases = await Promise.all(Array.from({ length: count + 1 }, async () => createTestDatabase(serverUrl)));
  const [controlDatabase, ...shardDatabases] = databases;
  if (controlDatabase === undefined) throw new Error('no control database');
  const control = openDatabase({ url: controlDatabase.url, poolSize: 8 });
  await applySchema(control, [coreSchema, shardsControlSchema]);
  await initialiseSlotMap(control, count, options.side ?? 'source');
  const shards = new ShardSet({ ...options, shards: shardDatabases.map(({ url }, i) => ({ name: `shard-${i}`, url })) });
  await Promise.all(shards.all.map(async ({ database }) => applySchema(database, [shardSchema, ...(options.schema ?? [])])));
  await installSlotMap(
    control,
    shards.all.map(({ database }) => database),
  );
  const map = new SlotMap({ control });
  await map.refresh();
  return {
    control,
    controlUrl: controlDatabase.url,
    shardUrls: shardDatabases.map(({ url }) => url),
    shards,
    map,
    follower: new SlotFollower({ map, shards }),
    [Symbol.asyncDispose]: async () => {
      await shards.stop();
      await control.end();
      await Promise.all(databases.map(async (database) => database.drop()));
    },
  };
}
