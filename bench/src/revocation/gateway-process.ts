import { createGateway } from '@wherry/gateway';
import { RevocationStream } from '@wherry/revocation/redis';
import { startGatewaySide } from '../gateway-side.ts';
import { LIFE_S } from '../gateway/tokens.ts';
import { ownSettings } from './gateways.ts';

const settings = ownSettings();
const { issuer, audience, streamUrl } = settings;
const { keys, rollout, runtime, metrics, masterKey } = await startGatewaySide(settings);
if (streamUrl !== undefined) {
  const { ended: set, revocations, now } = runtime;
  await new RevocationStream({ url: streamUrl, masterKey, set, revocations, now }).run();
}
const tokens = { keys, issuer, audience, maxLifeS: LIFE_S };
const gateway = createGateway({ host: '127.0.0.1', port: 0, adminPort: 0, routes: [], tokens, runtime, rollout, metrics });
await gateway.run();
process.once('SIGTERM', () => process.exit(0));
console.log(`listening ${gateway.port}`);
