import { breachedFile, breachedRange, createAuthService, passwordCheck, type AuthService, type CheckPassword } from '@wherry/auth';
import type { Lifecycle, Logger, Metrics } from '@wherry/core';
import { createMetrics } from '@wherry/core/metrics';
import { requireClients, requireMasterKey, requireSourceCookie, type WherryConfig } from '../config/index.ts';
import { deprecationOf } from './deprecation.ts';
import { openFoundation } from './foundation.ts';
import { addRevocationStream } from './revocation-stream.ts';
import { openSource, sourceDecoder } from './source.ts';

/** Adds the auth service to a process. */
export async function addAuthRole(lifecycle: Lifecycle, config: WherryConfig, log: Logger): Promise<AuthService> {
  const { tokens, sessions, auth, rollout } = config;
  const metrics = createMetrics({ processMetrics: true });
  const { control, shards, component } = openFoundation(config, 'auth', metrics);
  lifecycle.add(component);
  const source = config.source.url === undefined ? undefined : await openSource(config);
  if (source !== undefined) lifecycle.add({ name: 'auth-source', stop: () => source.close() });
  const operatorSecret = auth.operatorSecret?.reveal();
  const checkPassword = breachCheck(config, log, metrics);
  const service = lifecycle.add(
    createAuthService({
      host: auth.host,
      port: auth.port,
      control,
      shards,
      masterKey: requireMasterKey(config),
      issuer: tokens.issuer,
      audience: tokens.audience,
      accessTokenSeconds: tokens.accessTokenSeconds,
      skewSeconds: tokens.skewSeconds,
      keyMode: tokens.keyMode,
      algorithm: tokens.algorithm,
      rsaBits: tokens.rsaBits,
      keyRotationSeconds: tokens.keyRotationSeconds,
      idleSeconds: sessions.idleSeconds,
      absoluteSeconds: sessions.absoluteSeconds,
      clients: requireClients(config),
      ...(auth.publicUrl === undefined ? {} : { publicUrl: auth.publicUrl }),
      dpopNonces: auth.dpopNonces,
      ...(source === undefined ? {} : { source: { store: source, decode: sourceDecoder(config), cookie: requireSourceCookie(config) } }),
      renewal: {
        reuseEndsSession: auth.renewal.reuseEndsSession,
        graceMs: auth.renewal.graceSeconds * 1000,
        maxPerSession: auth.renewal.familiesPerSession,
        bearerOnly: auth.renewal.bearerOnly,
      },
      rollout: {
        ...deprecationOf(config),
        userAgents: rollout.userAgents,
        guard: { everyMs: rollout.guard.everySeconds * 1000, windowMs: rollout.guard.windowSeconds * 1000 },
      },
      logInLimits: auth.logIns,
      endpointLimits: auth.requests,
      trustedProxies: auth.trustedProxies,
      ...(operatorSecret === undefined ? {} : { operatorSecret }),
      ...(checkPassword === undefined ? {} : { checkPassword }),
      metrics,
      log,
    }),
  );
  await addRevocationStream(lifecycle, config, service.runtime, { log, metrics });
  return service;
}

/** What new passwords are compared with. */
function breachCheck({ passwords }: WherryConfig, log: Logger, metrics: Metrics): CheckPassword | undefined {
  const { breachedFile: path, breachedUrl: url } = passwords;
  if (path !== undefined) return passwordCheck(breachedFile(path), { log, metrics });
  return url === undefined ? undefined : passwordCheck(breachedRange({ url }), { log, metrics });
}
