import { randomBytes } from 'node:crypto';
import { Sealer } from '@wherry/core';
import { applySchema, coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { startPostgres } from '@wherry/embedded';
import { migrationSchema } from '@wherry/migration';
import { revocationSchema } from '@wherry/revocation';
import { rolloutSchema } from '@wherry/rollout';
import { sessionsControlSchema } from '@wherry/sessions';
import { sessionsShardSchema } from '@wherry/sessions/sql';
import { initialiseSlotMap, installSlotMap, shardSchema, shardsControlSchema, type PrimarySide } from '@wherry/shards';
import { tokensSchema } from '@wherry/tokens';

/** Where the databases of a bench are. */
export interface ClusterAddress {
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
  /** 32 bytes, base64. */
  readonly masterKey: string;
}

/** A PostgreSQL of the bench's own with a control database and two shards. */
export interface Cluster extends ClusterAddress, AsyncDisposable {
  /** A pool; it ends with the cluster. */
  readonly open: (url: string) => Database;
}

/** Starts it, durable as in production, with all tables; every slot is open with `side` as its primary. */
export async function startCluster(side: PrimarySide, shardCount = 2): Promise<Cluster> {
  const databases = ['control', ...Array.from({ length: shardCount }, (_, i) => `shard${i}`)];
  const server = await startPostgres({ databases, durable: true, settings: ['max_wal_size=8GB', 'checkpoint_timeout=30min'] });
  const pools: Database[] = [];
  const open = (url: string): Database => {
    const pool = openDatabase({ url, statementMs: 120_000 });
    pools.push(pool);
    return pool;
  };
  const [controlUrl = '', ...shardUrls] = databases.map((name) => server.url(name));
  const control = open(controlUrl);
  await applySchema(control, [
    coreSchema,
    shardsControlSchema,
    revocationSchema,
    sessionsControlSchema,
    tokensSchema,
    rolloutSchema,
    migrationSchema,
  ]);
  const shards = shardUrls.map(open);
  for (const shard of shards) await applySchema(shard, [shardSchema, sessionsShardSchema]);
  await initialiseSlotMap(control, shardCount, side);
  await installSlotMap(control, shards);
  return {
    controlUrl,
    shardUrls,
    masterKey: randomBytes(32).toString('base64'),
    open,
    [Symbol.asyncDispose]: async () => {
      for (const pool of pools) await pool.end();
      await server.stop();
    },
  };
}

/** The bytes of the cluster's master key. */
export function masterKeyOf({ masterKey }: ClusterAddress): Buffer {
  return Buffer.from(masterKey, 'base64');
}

/** What seals the signing keys of the cluster. */
export function keySealer(address: ClusterAddress): Sealer {
  return new Sealer(masterKeyOf(address), 'signing-key');
}
