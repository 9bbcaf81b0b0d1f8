import { createGateway } from '@wherry/gateway';
import { TokenFamilies } from '@wherry/renewal';
import { RENEWAL_LIVES } from '@wherry/tokens';
import { startGatewaySide } from '../../gateway-side.ts';
import { announce, ownSettings } from '../serving.ts';
import { LIFE_S } from '../tokens.ts';

const settings = ownSettings();
const { issuer, audience } = settings;
const { control, shards, keys, rollout, runtime, metrics } = await startGatewaySide(settings);
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
  // No proxy stands between, so that requests are counted under the address that they come from.
  trustedProxies: ['10.0.0.0/8'],
  limits: { perUser: ENOUGH, perClient: ENOUGH, perAddress: ENOUGH },
});
await gateway.run();
announce(gateway.port);
