import { WherryError } from '@wherry/core';
import { authorizationOf } from '@wherry/http';
import type { FastifyRequest } from 'fastify';
import type { RegisteredClient } from './clients.ts';
import type { AuthContext } from './context.ts';

/**
 * Who operates, as the audit log has it: the bearer of the operator's secret, or a client that is marked as operator.
 * Errors: `unauthenticated` without proof, `client_unauthenticated` for a wrong one, `forbidden` for another client.
 */
export function requireOperator(context: AuthContext, request: FastifyRequest): string {
  const authorization = authorizationOf(request.raw);
  if (authorization.kind === 'none') throw new WherryError('unauthenticated', 'this needs an operator');
  if (authorization.kind === 'bearer') {
    if (!context.clients.isOperatorSecret(authorization.token)) throw new WherryError('forbidden', 'this needs an operator');
    return 'operator';
  }
  const client = authenticatedClient(context, request);
  if (client?.operator !== true) throw new WherryError('forbidden', 'this needs an operator');
  return `client:${client.id}`;
}

/**
 * The client that the Authorization header proves by scheme Basic; undefined when there is no such header. Errors:
 * `client_unauthenticated` for a wrong proof and for another scheme, `bad_request` for more than one header.
 */
export function authenticatedClient({ clients, endpointLimits }: AuthContext, request: FastifyRequest): RegisteredClient | undefined {
  // Also refuses a second header, of which node:http keeps only the first.
  if (authorizationOf(request.raw).kind === 'none') return undefined;
  const client = clients.authenticate(request.headers.authorization ?? '');
  endpointLimits.proved(request, client.id);
  return client;
}
