// A migrator process of the bench: it works until it is asked for its peak memory, answers, and ends.
import { createMigration } from '@wherry/migration';
import { SessionRuntime, expressJsonDecoder } from '@wherry/sessions';
import { ShardSet } from '@wherry/shards';
import { openDatabase } from '@wherry/core/control';
import { masterKeyOf, type ClusterAddress } from '../cluster.ts';
import { IDENTITY } from './legacy-sessions.ts';
import { severalServers } from './two-nodes.ts';

/** What the process is told. */
export interface WorkerOrder {
  readonly cluster: ClusterAddress;
  readonly redisUrls: readonly string[];
}

const { cluster, redisUrls } = JSON.parse(process.argv[2] ?? '') as WorkerOrder;
const control = openDatabase({ url: cluster.controlUrl });
const shards = new ShardSet({ shards: cluster.shardUrls.map((url, i) => ({ name: `shard${i}`, url })) });
const runtime = new SessionRuntime({ control, shards, masterKey: masterKeyOf(cluster), role: 'migrator' });
await runtime.run();
const { migrator } = await createMigration({
  runtime,
  source: severalServers(redisUrls),
  decode: expressJsonDecoder({ identity: IDENTITY }),
  writers: 'none',
  signal: new AbortController().signal,
});
await migrator.run();
process.on('message', () => {
  process.send?.({ peakMiB: Math.round(process.resourceUsage().maxRSS / 1024) }, () => process.exit(0));
});
process.send?.({ ready: true });
