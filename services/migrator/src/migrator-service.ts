import { fastify, type FastifyInstance } from 'fastify';
import { WherryError, asWherryError, problemOf, type Component, type Logger } from '@wherry/core';
import type { PrometheusMetrics } from '@wherry/core/metrics';
import { closedGates, createMigration, silentProgress, type Migration, type MigrationOptions } from '@wherry/migration';
import type { SessionRuntime } from '@wherry/sessions';
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
    this.#http = fastify({ logger: false, forceCloseConnections: 'idle', keepAliveTimeout: 1000 });
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
    const { host, port, ...options } = this.#options;
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
      const fault = asWherryError(error);
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
    http.get('/v1/migration/gates', async () => closedGates(this.migration.context));
  }

  #observe(): void {
    const { metrics, runtime } = this.#options;
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
    metrics.observeGauge({ name: 'wherry_clock_offset_seconds', help: 'Control clock less the clock of this machine.' }, () => [
      { value: runtime.instance.clockOffsetMs / 1000 },
    ]);
  }
}
