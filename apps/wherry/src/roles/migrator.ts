import type { Lifecycle, Logger } from '@wherry/core';
import { createMetrics, type PrometheusMetrics } from '@wherry/core/metrics';
import type { ProgressListener } from '@wherry/migration';
import { MigratorService } from '@wherry/migrator';
import { SessionRuntime, type SourceStore } from '@wherry/sessions';
import { requireMasterKey, type WherryConfig } from '../config/index.ts';
import { openFoundation } from './foundation.ts';
import { openCapture, openSource, sourceDecoder } from './source.ts';

/** What a person decides about a run of the migrator. */
export interface MigratorRoleOptions {
  readonly writers: 'instrumented' | 'captured' | 'none';
  readonly progress?: ProgressListener;
  readonly shadowMs?: number;
}

/** What a migration runs on. */
export interface MigrationParts {
  readonly runtime: SessionRuntime;
  readonly source: SourceStore;
  readonly metrics: PrometheusMetrics;
}

/** Adds databases, source and session side of a migration to a process. */
export async function addMigrationParts(lifecycle: Lifecycle, config: WherryConfig, log: Logger): Promise<MigrationParts> {
  const metrics = createMetrics({ processMetrics: true });
  const foundation = openFoundation(config, 'migrator', metrics);
  lifecycle.add(foundation.component);
  const source = await openSource(config);
  lifecycle.add({ name: 'source', stop: () => source.close() });
  const { control, shards } = foundation;
  const runtime = lifecycle.add(
    new SessionRuntime({
      control,
      shards,
      masterKey: requireMasterKey(config),
      role: 'migrator',
      keepEndsMs: keepEndsMs(config),
      log,
      metrics,
    }),
  );
  return { runtime, source, metrics };
}

/** Adds the migrator to a process. */
export async function addMigratorRole(
  lifecycle: Lifecycle,
  config: WherryConfig,
  log: Logger,
  options: MigratorRoleOptions,
): Promise<MigratorService> {
  const parts = await addMigrationParts(lifecycle, config, log);
  const { host, port, rate: maxRate, batchSize, sourceLatencyMs: sourceMs, targetLatencyMs: targetMs, replicaLagMs } = config.migrator;
  const capture = await openCapture(config);
  const operatorSecret = config.auth.operatorSecret?.reveal();
  return lifecycle.add(
    new MigratorService({
      ...parts,
      decode: sourceDecoder(config),
      host,
      port,
      maxRate,
      batchSize,
      limits: { sourceMs, targetMs, replicaLagMs },
      log,
      ...(capture === undefined ? {} : { capture }),
      ...(operatorSecret === undefined ? {} : { operatorSecret }),
      ...options,
    }),
  );
}

/** A longest request, generously. */
const REQUEST_SECONDS = 300;

/** How long an end is remembered: no token of the session can live any more after it. */
export function keepEndsMs({ tokens }: WherryConfig): number {
  return (tokens.accessTokenSeconds + tokens.skewSeconds + REQUEST_SECONDS) * 1000;
}
