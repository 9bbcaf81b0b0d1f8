import { createHash, randomBytes } from 'node:crypto';
import { applySchema, coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { createTestDatabase } from '@wherry/embedded/testing';
import {
  ShardSet,
  SlotMap,
  initialiseSlotMap,
  installSlotMap,
  shardSchema,
  shardsControlSchema,
  slotOf,
  type PrimarySide,
  type ShardOptions,
} from '@wherry/shards';
import type { SessionKey, SessionRecord } from '../../record.ts';
import { sessionsShardSchema } from '../schema.ts';
import { SqlSessions, type SqlSessionsOptions } from '../sql-sessions.ts';

/** A control database and two shards with sessions, for one test file. */
export interface SessionCluster extends AsyncDisposable {
  readonly control: Database;
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly sessions: SqlSessions;
}

/** Options of {@link startSessionCluster}. */
export interface SessionClusterOptions extends Partial<Omit<SqlSessionsOptions, 'shards' | 'map'>> {
  readonly shard?: ShardOptions;
  /** Primary side of all slots; default source. */
  readonly side?: PrimarySide;
  /** Where the second shard lives, if elsewhere. */
  readonly secondServerUrl?: string;
}

/** Creates the databases, applies the schemas and spreads the slots. */
export async function startSessionCluster(serverUrl: string, options: SessionClusterOptions = {}): Promise<SessionCluster> {
  const urls = [serverUrl, serverUrl, options.secondServerUrl ?? serverUrl];
  const databases = await Promise.all(urls.map(async (url) => createTestDatabase(url)));
  const [controlUrl = '', ...shardUrls] = databases.map(({ url }) => url);
  const control = openDatabase({ url: controlUrl });
  await applySchema(control, [coreSchema, shardsControlSchema]);
  await initialiseSlotMap(control, shardUrls.length, options.side ?? 'source');
  const shards = new ShardSet({ ...options.shard, shards: shardUrls.map((url, i) => ({ name: `shard-${i}`, url })) });
  await Promise.all(shards.all.map(async ({ database }) => applySchema(database, [shardSchema, sessionsShardSchema])));
  await installSlotMap(
    control,
    shards.all.map(({ database }) => database),
  );
  const map = new SlotMap({ control });
  await map.refresh();
  const sessions = new SqlSessions({ ...options, shards, map });
  return {
    control,
    shards,
    map,
    sessions,
    [Symbol.asyncDispose]: async () => {
      await sessions.stop();
      await shards.stop();
      await control.end();
      await Promise.all(databases.map(async (database) => database.drop()));
    },
  };
}

/** A key of a session that was born here. */
export function newKey(id: bigint = randomBytes(8).readBigUInt64BE() >> 1n, secret: Buffer = randomBytes(24)): SessionKey {
  return { slot: slotOf(id), id, digest: createHash('sha256').update(secret).digest() };
}

/** A record to write; times are small numbers. */
export function newRecord(part: Partial<SessionRecord> = {}): SessionRecord {
  return {
    key: newKey(),
    userId: '42',
    username: 'ada "λ" \\ {x},\n',
    role: 'admin',
    authorities: ['admin', 'orders:read, all', '"q"\\'],
    createTime: 1000,
    lastAccessTime: 1000,
    expireTime: 61_000,
    userGeneration: 0,
    attributes: '{"a":"1,2","b":"\\"\\\\","c":"𝄞"}',
    version: { epoch: 0, n: 0 },
    touchVersion: 1000,
    sourceRef: Buffer.from([0, 1, 92, 255]),
    ...part,
  };
}
