import { createHash, randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { slotOf, type PrimarySide, type ShardOptions } from '@wherry/shards';
import { startCluster, type Cluster } from '@wherry/shards/testing';
import type { SessionKey, SessionRecord } from '../../record.ts';
import { sessionsShardSchema } from '../schema.ts';
import { SqlSessions, type SqlSessionsOptions } from '../sql-sessions.ts';

/** A control database and two shards with sessions, for one test file. */
export interface SessionCluster extends Cluster {
  readonly sessions: SqlSessions;
}

/** Options of {@link startSessionCluster}. */
export interface SessionClusterOptions extends Partial<Omit<SqlSessionsOptions, 'shards' | 'map'>> {
  readonly shard?: ShardOptions;
  /** Primary side of all slots; default source. */
  readonly side?: PrimarySide;
  /** Where the shards live, if elsewhere: PostgreSQL or MySQL. */
  readonly shardServerUrl?: string;
  /** Where the second shard lives, if elsewhere. */
  readonly secondServerUrl?: string;
}

/** Creates the databases, applies the schemas and spreads the slots. A slot is waited for as long as a busy machine needs. */
export async function startSessionCluster(serverUrl: string, options: SessionClusterOptions = {}): Promise<SessionCluster> {
  const { shard, side = 'source', shardServerUrl = serverUrl, secondServerUrl = shardServerUrl, ...own } = options;
  const cluster = await startCluster(serverUrl, {
    ...shard,
    side,
    shardSchema: [sessionsShardSchema],
    shardServerUrl,
    lastServerUrl: secondServerUrl,
  });
  const sessions = new SqlSessions({ deadlineMs: PATIENT_MS, ...own, shards: cluster.shards, map: cluster.map });
  return {
    ...cluster,
    sessions,
    [Symbol.asyncDispose]: async () => {
      await sessions.stop();
      await cluster[Symbol.asyncDispose]();
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
