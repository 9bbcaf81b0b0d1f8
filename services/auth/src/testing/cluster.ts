import { tokenFamilySchema } from '@wherry/renewal';
import { revocationSchema } from '@wherry/revocation';
import { rolloutSchema } from '@wherry/rollout';
import { sessionsControlSchema } from '@wherry/sessions';
import { sessionsShardSchema } from '@wherry/sessions/sql';
import type { PrimarySide } from '@wherry/shards';
import { startCluster, type Cluster } from '@wherry/shards/testing';
import { tokensSchema } from '@wherry/tokens';
import { authControlSchema } from '../control-schema.ts';
import { authShardSchema } from '../users/shard-schema.ts';

/** A control database and two shards (on another server where that is named) of one test file, with all that an auth service keeps in them. */
export async function startAuthCluster(
  serverUrl: string,
  side: PrimarySide = 'source',
  shardServerUrl: string = serverUrl,
): Promise<Cluster> {
  return startCluster(serverUrl, {
    side,
    shardServerUrl,
    controlSchema: [revocationSchema, tokensSchema, rolloutSchema, sessionsControlSchema, authControlSchema],
    shardSchema: [sessionsShardSchema, tokenFamilySchema, authShardSchema],
  });
}
