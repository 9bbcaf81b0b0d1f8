import { fastify, type FastifyInstance } from 'fastify';
import { WherryError, asWherryError, problemOf, type Component, type Logger, type Sample } from '@wherry/core';
import type { PrometheusMetrics } from '@wherry/core/metrics';
import { closedGates, createMigration, silentProgress, type Migration, type MigrationOptions, type PaceReport } from '@wherry/migration';
import type { SessionRuntime } from '@wherry/sessions';
import { controlRoutes } from './control-routes.ts';
import { OperatorGate } from './operator.ts';
import { ProgressMemory } from './progress-memory.ts';
import { migrationStatus } from './status.ts';

/** Options of {@link MigratorService}. */
export interface MigratorServiceOptions extends Omit<MigrationOptions, 'signal' | 'runtime'> {
  readonly runtime: SessionRuntime;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly metrics: PrometheusMetrics;
  readonly log: Logger;
  /** Bearer of the routes that steer the migration; without one nobody reaches them. */
  readonly operatorSecret?: string;
}

const LATENCIES: Readonly<Record<string, (report: PaceReport) => number | null>> = {
  source_latency: ({ sourceMs }) => sourceMs,
  target_latency: ({ targetMs }) => targetMs,
  replica_lag: ({ replicaLagMs }) => replicaLagMs,
};

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

/** What the framework itself refuses (a body that is no JSON, or not of the route's form) is the caller's fault. */
function refusalOf(error: unknown): WherryError {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  const refused = typeof status === 'number' && status >= 400 && status < 500 && !(error instanceof WherryError);
  return refused ? new WherryError('bad_request', error instanceof Error ? error.message : '', { cause: error }) : asWherryError(error);
}

/** The migrator as a service: it drives the migration and tells of it over HTTP. Added behind its runtime. */
export class MigratorService implements Component {
  readonly name = 'migrator-service';
  readonly #options: MigratorServiceOptions;
  readonly #stop = new AbortController();
  readonly #http: FastifyInstance;
  readonly #progress: ProgressMemory;
  #migration: Migration | undefined;
  #port = 0;

  constructor(options: MigratorServiceOptions) {
    this.#options = options;
    this.#progress = new ProgressMemory(options.progress ?? silentProgress);
    // A connection whose answer was just leaving is kept open after the close, for as long: scrapers and probes come anew.
    this.#http = fastify({
      logger: false,
      forceCloseConnections: 'idle',
      keepAliveTimeout: 1000,
      // A command that says something else than the route knows is refused, not guessed at.
      ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    });
    this.#routes();
    this.#observe();
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#port;
  }

  /** The migration; `draining` before the start. */
  get migration(): Migration {
    if (this.#migration === undefined) throw new WherryError('draining', 'the migrator has not started');
    return this.#migration;
  }

  async run(): Promise<void> {
    const { host, port, operatorSecret: _, ...options } = this.#options;
    this.#migration = await createMigration({ ...options, progress: this.#progress, signal: this.#stop.signal });
    await this.#migration.migrator.run();
    await this.#http.listen({ host, port });
    const address = this.#http.server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Ends the migration at the next safe place. */
  async drain(): Promise<void> {
    this.#stop.abort();
    await this.#migration?.migrator.stop();
  }

  async stop(): Promise<void> {
    await this.#http.close();
  }

  #routes(): void {
    const http = this.#http;
    http.setErrorHandler(async (error, _request, reply) => {
      const fault = refusalOf(error);
      if (fault.code === 'internal') this.#options.log.error('request failed', { error });
      return reply.status(fault.status).type('application/problem+json').send(problemOf(fault));
    });
    http.get('/livez', async () => ({ status: 'ok' }));
    http.get('/readyz', async (_request, reply) => {
      const fault = this.#migration?.migrator.fault;
      const ready =
        this.#migration !== undefined && fault === undefined && !this.#stop.signal.aborted && this.#options.runtime.instance.leaseValid;
      return reply
        .status(ready ? 200 : 503)
        .send({ status: ready ? 'ok' : 'not ready', ...(fault === undefined ? {} : { fault: fault.code }) });
    });
    http.get('/metrics', async (_request, reply) => reply.type(this.#options.metrics.contentType).send(await this.#options.metrics.page()));
    http.get('/v1/migration', async () => migrationStatus(this.#options.runtime.control));
    controlRoutes(http, this.#options.runtime.control, new OperatorGate(this.#options.operatorSecret));
    http.get('/v1/migration/gates', async () => closedGates(this.migration.context));
  }

  #captured(value: (lag: { readonly lagMs: number; readonly lagBytes: number }) => number): { readonly value: number }[] {
    const lag = this.#migration?.context.capture?.lag;
    return lag === undefined ? [] : [{ value: value(lag) }];
  }

  #observe(): void {
    const { metrics, runtime } = this.#options;
    metrics.observeGauge(
      {
        name: 'wherry_capture_lag_seconds',
        help: 'How long ago the source was where the target is with writes past us; of the process that captures.',
      },
      () => this.#captured(({ lagMs }) => lagMs / 1000),
    );
    metrics.observeGauge(
      { name: 'wherry_capture_lag_bytes', help: 'How much of the feed of writes past us is not at the target yet.' },
      () => this.#captured(({ lagBytes }) => lagBytes),
    );
    metrics.observeGauge({ name: 'wherry_slots', help: 'Slots by shard and primary side.', labels: ['shard', 'side'] }, () =>
      runtime.slots.counts().flatMap(({ shard, source, target }) => [
        { value: source, labels: { shard: String(shard), side: 'source' } },
        { value: target, labels: { shard: String(shard), side: 'target' } },
      ]),
    );
    metrics.observeGauge(
      { name: 'wherry_migration_done', help: 'Sessions or slots done in the step, as of the last news.', labels: ['step'] },
      () => this.#progress.samples(({ done }) => done),
    );
    metrics.observeGauge({ name: 'wherry_migration_total', help: 'Sessions or slots expected in the step.', labels: ['step'] }, () =>
      this.#progress.samples(({ total }) => total),
    );
    metrics.observeGauge({ name: 'wherry_migration_rate', help: 'Sessions or slots a second.', labels: ['step'] }, () =>
      this.#progress.samples(({ rate }) => rate),
    );
    const pace = (read: (report: PaceReport) => number | null) => (): Sample[] => {
      const value = this.#migration === undefined ? null : read(this.#migration.context.pace.report);
      return value === null ? [] : [{ value }];
    };
    metrics.observeGauge(
      { name: 'wherry_migration_speed_share', help: 'Share of its full speed that slow stores leave to this process.' },
      pace(({ share }) => share),
    );
    metrics.observeGauge(
      { name: 'wherry_migration_workers', help: "Processes that share the operator's rate, this one included." },
      pace(({ workers }) => workers),
    );
    for (const [store, read] of Object.entries(LATENCIES)) {
      metrics.observeGauge(
        { name: `wherry_migration_${store}_seconds`, help: 'As of the last look; nothing where it has no limit.' },
        pace((report) => seconds(read(report))),
      );
    }
    metrics.observeGauge({ name: 'wherry_clock_offset_seconds', help: 'Control clock less the clock of this machine.' }, () => [
      { value: runtime.instance.clockOffsetMs / 1000 },
    ]);
  }
}
