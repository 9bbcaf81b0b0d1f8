import { createGateway } from '@wherry/gateway';
import { ExpressCookie, expressJsonDecoder } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { startGatewaySide } from '../gateway-side.ts';
import { LIFE_S } from '../gateway/tokens.ts';
import { IDENTITY } from '../migration/legacy-sessions.ts';
import { ownSettings } from './processes.ts';

const settings = ownSettings();
const { redisUrl, cookieSecret, warm } = settings;
const { control, keys, rollout, runtime, metrics } = await startGatewaySide(settings);
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
