import { openDatabase } from '@wherry/core/control';
import { createMetrics } from '@wherry/core/metrics';
import { createGateway } from '@wherry/gateway';
import { RolloutState } from '@wherry/rollout';
import { ExpressCookie, SessionRuntime, expressJsonDecoder } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { ShardSet } from '@wherry/shards';
import { KEY_TOPIC, KeyRing } from '@wherry/tokens';
import { masterKeyOf } from '../cluster.ts';
import { LIFE_S } from '../gateway/tokens.ts';
import { IDENTITY } from '../migration/legacy-sessions.ts';
import { ownSettings } from './processes.ts';

const settings = ownSettings();
const { controlUrl, shardUrls, redisUrl, cookieSecret, warm } = settings;
const control = openDatabase({ url: controlUrl });
const metrics = createMetrics({ processMetrics: true });
const shards = new ShardSet({ shards: shardUrls.map((url, i) => ({ name: `shard${i}`, url })), metrics });
const keys = new KeyRing({ database: control, staleMs: () => runtime.instance.staleMs(KEY_TOPIC) });
const rollout = new RolloutState({ database: control });
const masterKey = masterKeyOf(settings);
const runtime: SessionRuntime = new SessionRuntime({ control, shards, masterKey, role: 'gateway', topics: [keys, rollout], metrics });
await runtime.run();
const source = createRedisSource({ url: redisUrl });
const gateway = createGateway({
  host: '127.0.0.1',
  port: 0,
  routes: [],
  tokens: { keys, issuer: 'https://auth.example', audience: 'https://api.example', maxLifeS: LIFE_S },
  runtime,
  rollout,
  reports: control,
  carried: runtime.carry({ source, decode: expressJsonDecoder({ identity: IDENTITY }) }),
  cookie: new ExpressCookie({ secrets: [cookieSecret] }),
  // Long, so that what a switch costs is not mixed with what is read again anyway.
  sessionCache: { source: true, ttlMs: 600_000, warm },
  metrics,
});
await gateway.run();
process.once('SIGTERM', () => process.exit(0));
console.log(`listening ${gateway.port}`);
