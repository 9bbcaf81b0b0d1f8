import { randomBytes } from 'node:crypto';
import { openDatabase } from '@wherry/core/control';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { ShardSet, SlotMap, type ShardOptions } from '@wherry/shards';
import { startCluster, type Addresses, type Cluster } from '@wherry/shards/testing';
import type { FamilyBeginning, Presenting } from '../renewal.ts';
import { tokenFamilySchema } from '../schema.ts';
import { TokenFamilies, type TokenFamiliesOptions } from '../token-families.ts';

/** Of the tests: tokens of five minutes, so a window of ten. */
export const WINDOW_MS = 600_000;
/** How long a family of the tests lives unused. */
export const IDLE_MS = 3_600_000;

/** What one process has: its own connections, map and families. */
export interface FamilyInstance extends AsyncDisposable {
  readonly families: TokenFamilies;
  readonly map: SlotMap;
}

/** Options of {@link FamilyCluster.instance}. */
export interface FamilyInstanceOptions extends Partial<TokenFamiliesOptions> {
  readonly at?: Addresses;
  readonly shard?: ShardOptions;
}

/** A control database and two shards with families, for one test file. */
export interface FamilyCluster extends Cluster {
  readonly families: TokenFamilies;
  /** Starts another instance on the same databases. */
  instance(options?: FamilyInstanceOptions): Promise<FamilyInstance>;
}

/** Creates the databases, applies the schemas and spreads the slots; shards on other servers where these are named. Slots are waited for as long as a busy machine needs. */
export async function startFamilyCluster(
  serverUrl: string,
  shardServerUrl: string = serverUrl,
  lastServerUrl: string = shardServerUrl,
): Promise<FamilyCluster> {
  const cluster = await startCluster(serverUrl, { poolSize: 4, shardSchema: [tokenFamilySchema], shardServerUrl, lastServerUrl });
  const common = { windowMs: WINDOW_MS, deadlineMs: PATIENT_MS };
  return {
    ...cluster,
    families: new TokenFamilies({ ...common, shards: cluster.shards, map: cluster.map }),
    instance: async ({ at = {}, shard = {}, ...own } = {}) => {
      const control = openDatabase({ url: at.controlUrl ?? cluster.controlUrl, poolSize: 2, statementMs: PATIENT_MS });
      const addresses = (at.shardUrls ?? cluster.shardUrls).map((url, i) => ({ name: `shard-${i}`, url }));
      const shards = new ShardSet({ statementMs: PATIENT_MS, deadlineMs: PATIENT_MS, poolSize: 4, ...shard, shards: addresses });
      const map = new SlotMap({ control });
      await map.refresh();
      return {
        families: new TokenFamilies({ ...common, ...own, shards, map }),
        map,
        [Symbol.asyncDispose]: async () => {
          await shards.stop();
          await control.end();
        },
      };
    },
  };
}

/** Id of a session, as one that was born here. */
export function newSessionId(): bigint {
  return (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;
}

/** A beginning by the user `7` with client `web`, of generation 3. */
export function beginning(part: Partial<FamilyBeginning> = {}): FamilyBeginning {
  return { sessionId: newSessionId(), userId: '7', clientId: 'web', generation: 3, idleMs: IDLE_MS, absoluteExpiry: null, ...part };
}

/** A presenter whose user has generation 0. */
export function presenting(part: Partial<Presenting> = {}): Presenting {
  return { minimumGeneration: 0, ...part };
}
