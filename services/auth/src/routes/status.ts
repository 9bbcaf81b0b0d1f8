import type { PrometheusMetrics } from '@wherry/core/metrics';
import { jwksDocument } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import { createHash } from 'node:crypto';
import type { AuthContext } from '../context.ts';
import { jwksSchema, livezSchema, metricsSchema, readyzSchema } from '../http/schemas.ts';

/** What the probes are told. */
export interface Health {
  /** undefined: ready. Else why not, without secrets. */
  readonly notReady: () => string | undefined;
  /** True once the service takes no new requests. */
  readonly draining: () => boolean;
}

/** The published keys, the probes and the metrics. */
export function statusRoutes(app: FastifyInstance, context: AuthContext, health: Health, metrics: PrometheusMetrics | undefined): void {
  app.get('/.well-known/jwks.json', { schema: jwksSchema }, async (request, reply) => {
    const { body, contentType, cacheControl } = jwksDocument(context.keys, context.jwksMaxAgeS);
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    reply.header('cache-control', cacheControl).header('etag', etag);
    if (isNamedBy(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.type(contentType).send(Buffer.from(body));
  });
  app.get('/livez', { schema: livezSchema }, async () => ({ status: 'alive' }));
  app.get('/readyz', { schema: readyzSchema }, async (_request, reply) => {
    const reason = health.notReady();
    return reason === undefined ? { status: 'ready' } : reply.code(503).header('retry-after', '1').send({ status: 'not ready', reason });
  });
  if (metrics === undefined) return;
  app.get('/metrics', { schema: metricsSchema }, async (_request, reply) => reply.type(metrics.contentType).send(await metrics.page()));
}

/** Weakly, as a cache asks (RFC 9110 section 13.1.2). */
function isNamedBy(ifNoneMatch: string | undefined, etag: string): boolean {
  return (ifNoneMatch ?? '').split(',').some((entry) => entry.trim() === '*' || entry.trim().replace(/^W\//, '') === etag);
}
