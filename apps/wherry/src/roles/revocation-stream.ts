import type { Lifecycle, Logger, Metrics } from '@wherry/core';
import type { SessionRuntime } from '@wherry/sessions';
import { requireMasterKey, type WherryConfig } from '../config/index.ts';

/** Adds the stream of revocations behind a runtime, where one is configured. The driver is loaded only then. */
export async function addRevocationStream(
  lifecycle: Lifecycle,
  config: WherryConfig,
  runtime: SessionRuntime,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): Promise<void> {
  const url = config.revocation.streamUrl?.reveal();
  if (url === undefined) return;
  const { RevocationStream } = await import('@wherry/revocation/redis');
  lifecycle.add(
    new RevocationStream({
      url,
      key: config.revocation.streamKey,
      masterKey: requireMasterKey(config),
      set: runtime.ended,
      revocations: runtime.revocations,
      now: runtime.now,
      log,
      metrics,
    }),
  );
}
