import { applySchema, coreSchema, openDatabase, type Database, type SchemaPart } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase } from '@wherry/embedded/testing';
import { applyShardSchema, shardSchema, shardsControlSchema, type ShardSchemaPart } from '../schema.ts';
import { initialiseSlotMap } from '../slot-map-changes.ts';
import type { PrimarySide } from '../slot-entry.ts';
import { SlotMap } from '../slot-map.ts';
import { installSlotMap } from '../slot-owners.ts';
import { ShardSet, type ShardSetOptions } from '../shard-set.ts';

/** Options of {@link startCluster}. Statements are bound by a minute where nothing else is said: deadlines are tested by themselves. */
export interface ClusterOptions extends Omit<ShardSetOptions, 'shards'> {
  /** Default 2. */
  readonly shardCount?: number;
  /** Primary side of all slots; default source. */
  readonly side?: PrimarySide;
  /** Schema of control beside core's and the slot map's. */
  readonly controlSchema?: readonly SchemaPart[];
  /** Schema of the shards beside the owners. */
  readonly shardSchema?: readonly ShardSchemaPart[];
  /** Where the shards live, if elsewhere: PostgreSQL or MySQL. */
  readonly shardServerUrl?: string;
  /** Where the last shard lives, if elsewhere. */
  readonly lastServerUrl?: string;
}

/** Connections of one process. */
export interface Connections {
  readonly control: Database;
  readonly shards: ShardSet;
}

/** Where databases are reached, if not where they are. */
export interface Addresses {
  readonly controlUrl?: string;
  readonly shardUrls?: readonly string[];
}

/** A control database and shards of one test file, with a loaded slot map. */
export interface Cluster extends Connections, AsyncDisposable {
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
  readonly map: SlotMap;
  /** Connections of their own, as another process has them; the caller ends them. */
  connect(addresses?: Addresses): Connections;
}

/** Creates the databases, applies the schemas and spreads the slots. */
export async function startCluster(serverUrl: string, options: ClusterOptions = {}): Promise<Cluster> {
  const {
    shardCount = 2,
    side = 'source',
    controlSchema = [],
    shardServerUrl = serverUrl,
    lastServerUrl = shardServerUrl,
    ...shardOptions
  } = options;
  const servers = [serverUrl, ...Array.from({ length: shardCount }, (_, i) => (i === shardCount - 1 ? lastServerUrl : shardServerUrl))];
  const databases = await Promise.all(servers.map(async (url) => createTestDatabase(url)));
  const [own = '', ...ownShards] = databases.map(({ url }) => url);
  const connect = ({ controlUrl = own, shardUrls = ownShards }: Addresses = {}): Connections => ({
    control: openDatabase({ url: controlUrl, poolSize: 8, statementMs: PATIENT_MS }),
    shards: new ShardSet({
      statementMs: PATIENT_MS,
      deadlineMs: PATIENT_MS,
      ...shardOptions,
      shards: shardUrls.map((url, i) => ({ name: `shard-${i}`, url })),
    }),
  });
  const { control, shards } = connect();
  await applySchema(control, [coreSchema, shardsControlSchema, ...controlSchema]);
  await initialiseSlotMap(control, shardCount, side);
  await Promise.all(shards.all.map(async ({ database }) => applyShardSchema(database, [shardSchema, ...(options.shardSchema ?? [])])));
  await installSlotMap(
    control,
    shards.all.map(({ database }) => database),
  );
  const map = new SlotMap({ control });
  await map.refresh();
  return {
    control,
    shards,
    controlUrl: own,
    shardUrls: ownShards,
    map,
    connect,
    [Symbol.asyncDispose]: async () => {
      await shards.stop();
      await control.end();
      await Promise.all(databases.map(async (database) => database.drop()));
    },
  };
}
