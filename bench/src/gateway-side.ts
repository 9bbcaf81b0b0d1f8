import { openDatabase, type Database } from '@wherry/core/control';
import { createMetrics, type PrometheusMetrics } from '@wherry/core/metrics';
import { RolloutState } from '@wherry/rollout';
import { SessionRuntime } from '@wherry/sessions';
import { ShardSet } from '@wherry/shards';
import { KEY_TOPIC, KeyRing } from '@wherry/tokens';
import { masterKeyOf, type ClusterAddress } from './cluster.ts';

/** What a gateway stands on, in a process of its own. */
export interface GatewaySide {
  readonly control: Database;
  readonly shards: ShardSet;
  readonly keys: KeyRing;
  readonly rollout: RolloutState;
  readonly runtime: SessionRuntime;
  readonly metrics: PrometheusMetrics;
  readonly masterKey: Buffer;
}

/** Connects to the cluster; the news are loaded when it resolves. The process ends with all of it. */
export async function startGatewaySide(address: ClusterAddress): Promise<GatewaySide> {
  const { controlUrl, shardUrls } = address;
  const control = openDatabase({ url: controlUrl });
  const metrics = createMetrics({ processMetrics: true });
  const shards = new ShardSet({ shards: shardUrls.map((url, i) => ({ name: `shard${i}`, url })), metrics });
  const keys = new KeyRing({ database: control, staleMs: () => runtime.instance.staleMs(KEY_TOPIC) });
  const rollout = new RolloutState({ database: control });
  const masterKey = masterKeyOf(address);
  const runtime: SessionRuntime = new SessionRuntime({ control, shards, masterKey, role: 'gateway', topics: [keys, rollout], metrics });
  await runtime.run();
  return { control, shards, keys, rollout, runtime, metrics, masterKey };
}
