import { openDatabase } from '@wherry/core/control';
import { createMetrics } from '@wherry/core/metrics';
import { createGateway } from '@wherry/gateway';
import { RevocationStream } from '@wherry/revocation/redis';
import { RolloutState } from '@wherry/rollout';
import { SessionRuntime } from '@wherry/sessions';
import { ShardSet } from '@wherry/shards';
import { KEY_TOPIC, KeyRing } from '@wherry/tokens';
import { masterKeyOf } from '../cluster.ts';
import { LIFE_S } from '../gateway/tokens.ts';
import { ownSettings } from './gateways.ts';

const settings = ownSettings();
const { controlUrl, shardUrls, issuer, audience, streamUrl } = settings;
const control = openDatabase({ url: controlUrl });
const metrics = createMetrics({ processMetrics: true });
const shards = new ShardSet({ shards: shardUrls.map((url, i) => ({ name: `shard${i}`, url })), metrics });
const keys = new KeyRing({ database: control, staleMs: () => runtime.instance.staleMs(KEY_TOPIC) });
const rollout = new RolloutState({ database: control });
const masterKey = masterKeyOf(settings);
const runtime: SessionRuntime = new SessionRuntime({ control, shards, masterKey, role: 'gateway', topics: [keys, rollout], metrics });
await runtime.run();
if (streamUrl !== undefined) {
  const { ended: set, revocations, now } = runtime;
  await new RevocationStream({ url: streamUrl, masterKey, set, revocations, now }).run();
}
const tokens = { keys, issuer, audience, maxLifeS: LIFE_S };
const gateway = createGateway({ host: '127.0.0.1', port: 0, adminPort: 0, routes: [], tokens, runtime, rollout, metrics });
await gateway.run();
process.once('SIGTERM', () => process.exit(0));
console.log(`listening ${gateway.port}`);
