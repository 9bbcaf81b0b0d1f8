import type { Lifecycle, Logger } from '@wherry/core';
import { createMetrics } from '@wherry/core/metrics';
import { createGateway, type Gateway } from '@wherry/gateway';
import { TokenFamilies } from '@wherry/renewal';
import { RolloutState } from '@wherry/rollout';
import { SessionRuntime } from '@wherry/sessions';
import { KEY_TOPIC, KeyRing, RENEWAL_LIVES } from '@wherry/tokens';
import { requireMasterKey, requireSourceCookie, type WherryConfig } from '../config/index.ts';
import { deprecationOf } from './deprecation.ts';
import { openFoundation } from './foundation.ts';
import { keepEndsMs } from './migrator.ts';
import { addRevocationStream } from './revocation-stream.ts';
import { openSource, sourceDecoder } from './source.ts';

/** Adds the gateway to a process. */
export async function addGatewayRole(lifecycle: Lifecycle, config: WherryConfig, log: Logger): Promise<Gateway> {
  const { tokens, gateway } = config;
  const metrics = createMetrics({ processMetrics: true });
  const { control, shards, component } = openFoundation(config, 'gateway', metrics);
  lifecycle.add(component);
  const source = config.source.url === undefined ? undefined : await openSource(config);
  if (source !== undefined) lifecycle.add({ name: 'gateway-source', stop: () => source.close() });
  // It verifies only: without a sealer this process never holds a private key.
  const keys = new KeyRing({ database: control, staleMs: () => runtime.instance.staleMs(KEY_TOPIC) });
  const rollout: RolloutState = new RolloutState({ database: control, leaseValid: () => runtime.instance.leaseValid });
  const runtime: SessionRuntime = new SessionRuntime({
    control,
    shards,
    masterKey: requireMasterKey(config),
    role: 'gateway',
    topics: [keys, rollout],
    keepEndsMs: keepEndsMs(config),
    absoluteMs: config.sessions.absoluteSeconds * 1000,
    log,
    metrics,
  });
  lifecycle.add(runtime);
  await addRevocationStream(lifecycle, config, runtime, { log, metrics });
  const upstreamSecrets = gateway.upstreamSecrets?.reveal();
  return lifecycle.add(
    createGateway({
      host: gateway.host,
      port: gateway.port,
      ...(gateway.adminPort === undefined ? {} : { adminPort: gateway.adminPort }),
      routes: gateway.routes.map(({ perUser, perClient, perAddress, ...route }) => ({
        ...route,
        limits: ratesOf({ perUser, perClient, perAddress }),
      })),
      tokens: {
        keys,
        issuer: tokens.issuer,
        audience: tokens.audience,
        maxLifeS: tokens.accessTokenSeconds,
        skewMs: tokens.skewSeconds * 1000,
        cacheSize: gateway.tokenCacheSize,
      },
      runtime,
      rollout,
      reports: control,
      families: new TokenFamilies({ shards, map: runtime.slots, windowMs: renewalWindowMs(config) }),
      clients: { clients: config.auth.clients.map(({ id }) => id), userAgents: config.rollout.userAgents },
      deprecation: deprecationOf(config),
      ...(gateway.origin === undefined ? {} : { origin: gateway.origin }),
      ...(gateway.authUrl === undefined ? {} : { renewal: { authUrl: gateway.authUrl, windowMs: renewalWindowMs(config) } }),
      ...(source === undefined
        ? {}
        : { carried: runtime.carry({ source, decode: sourceDecoder(config) }), cookie: requireSourceCookie(config) }),
      ...(upstreamSecrets === undefined ? {} : { upstreamSecrets }),
      sessionCache: { size: gateway.sessionCacheSize, source: gateway.cacheSourceSessions },
      forwardAuth: {
        ...(gateway.forwardAuthUriHeader === undefined ? {} : { uriHeader: gateway.forwardAuthUriHeader }),
        ...(gateway.forwardAuthPrefix === undefined ? {} : { prefix: gateway.forwardAuthPrefix }),
      },
      proxy: {
        trustForwarded: gateway.trustForwarded,
        upgrades: {
          max: gateway.upgradedConnections,
          perCaller: gateway.upgradedConnectionsPerCaller,
          idleMs: gateway.upgradedIdleSeconds * 1000,
        },
        lookAgainMs: gateway.lookAgainSeconds * 1000,
        unknownMs: gateway.unknownSeconds * 1000,
      },
      trustedProxies: gateway.trustedProxies,
      limits: gateway.limits,
      examinations: gateway.examinations,
      allowedOrigins: gateway.allowedOrigins,
      metrics,
      log,
    }),
  );
}

/** How long after its end an access token may still be renewed. */
function renewalWindowMs({ tokens }: WherryConfig): number {
  return RENEWAL_LIVES * tokens.accessTokenSeconds * 1000;
}

interface Rates {
  readonly perUser?: string | undefined;
  readonly perClient?: string | undefined;
  readonly perAddress?: string | undefined;
}

/** Those that are set. */
function ratesOf({ perUser, perClient, perAddress }: Rates): { readonly [Name in keyof Rates]?: string } {
  return {
    ...(perUser === undefined ? {} : { perUser }),
    ...(perClient === undefined ? {} : { perClient }),
    ...(perAddress === undefined ? {} : { perAddress }),
  };
}
