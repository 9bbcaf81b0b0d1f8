import { noMetrics, type Logger, type Metrics, type WherryError } from '@wherry/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const errors = new WeakMap<FastifyRequest, WherryError>();

/** Remembers why a request was refused, for its line in the log. */
export function noteCode(request: FastifyRequest, error: WherryError): void {
  errors.set(request, error);
}

/** Options of {@link logRequests}. */
export interface RequestLogOptions {
  readonly log: Logger;
  readonly metrics?: Metrics;
}

/**
 * One line and one measurement for each request: route, status, code, milliseconds, request id. The route is the
 * pattern, never the URL, and nothing of header or body is in it.
 */
export function logRequests(app: FastifyInstance, { log, metrics = noMetrics }: RequestLogOptions): void {
  const seconds = metrics.histogram({
    name: 'wherry_auth_request_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labels: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  });
  const refused = metrics.counter({
    name: 'wherry_auth_refused_total',
    help: 'Requests refused, by error code.',
    labels: ['route', 'code'],
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    const status = reply.statusCode;
    const error = errors.get(request);
    seconds.observe(reply.elapsedTime / 1000, { route, status: String(status) });
    if (error !== undefined) refused.inc({ route, code: error.code });
    const fields = {
      route,
      method: request.method,
      status,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      requestId: request.id,
      ...(error === undefined ? {} : { code: error.code }),
    };
    if (status >= 500) log.error('request failed', { ...fields, error });
    else log.info('request', fields);
  });
}
