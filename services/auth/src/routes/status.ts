import type { PrometheusMetrics } from '@wherry/core/metrics';
import { jwksDocument } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import type { AuthContext } from '../context.ts';

/** What the probes are told. */
export interface Health {
  /** undefined: ready. Else why not, without secrets. */
  readonly notReady: () => string | undefined;
  /** True once the service takes no new requests. */
  readonly draining: () => boolean;
}

/** The published keys, the probes and the metrics. */
export function statusRoutes(app: FastifyInstance, context: AuthContext, health: Health, metrics: PrometheusMetrics | undefined): void {
  app.get('/.well-known/jwks.json', async (_request, reply) => {
    const { body, contentType, cacheControl } = jwksDocument(context.keys, context.jwksMaxAgeS);
    return reply.type(contentType).header('cache-control', cacheControl).send(Buffer.from(body));
  });
  app.get('/livez', async () => ({ status: 'alive' }));
  app.get('/readyz', async (_request, reply) => {
    const reason = health.notReady();
    return reason === undefined ? { status: 'ready' } : reply.code(503).header('retry-after', '1').send({ status: 'not ready', reason });
  });
  if (metrics !== undefined) app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.page()));
}
