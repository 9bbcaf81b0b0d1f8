import { openDatabase } from '@wherry/core/control';
import { createMetrics } from '@wherry/core/metrics';
import { createGateway } from '@wherry/gateway';
import { TokenFamilies } from '@wherry/renewal';
import { RolloutState } from '@wherry/rollout';
import { SessionRuntime } from '@wherry/sessions';
import { ShardSet } from '@wherry/shards';
import { KEY_TOPIC, KeyRing, RENEWAL_LIVES } from '@wherry/tokens';
import { masterKeyOf } from '../../cluster.ts';
import { announce, ownSettings } from '../serving.ts';
import { LIFE_S } from '../tokens.ts';

const settings = ownSettings();
const { controlUrl, shardUrls, issuer, audience } = settings;
const control = openDatabase({ url: controlUrl });
const metrics = createMetrics({ processMetrics: true });
const shards = new ShardSet({ shards: shardUrls.map((url, i) => ({ name: `shard${i}`, url })), metrics });
const keys = new KeyRing({ database: control, staleMs: () => runtime.instance.staleMs(KEY_TOPIC) });
const rollout = new RolloutState({ database: control });
const masterKey = masterKeyOf(settings);
const runtime: SessionRuntime = new SessionRuntime({ control, shards, masterKey, role: 'gateway', topics: [keys, rollout], metrics });
await runtime.run();
const tokens = { keys, issuer, audience, maxLifeS: LIFE_S };
/** More than any load here reaches: what is measured is the counting, not the refusal. */
const ENOUGH = '10000000/1s';
const gateway = createGateway({
  host: '127.0.0.1',
  port: 0,
  adminPort: 0,
  routes: [],
  tokens,
  runtime,
  rollout,
  metrics,
  // Everything that a check can have to do besides.
  reports: control,
  families: new TokenFamilies({ shards, map: runtime.slots, windowMs: RENEWAL_LIVES * LIFE_S * 1000 }),
  clients: { clients: ['bench'] },
  limits: { perUser: ENOUGH, perClient: ENOUGH, perAddress: ENOUGH },
});
await gateway.run();
announce(gateway.port);
