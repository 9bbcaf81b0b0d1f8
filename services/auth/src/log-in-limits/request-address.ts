import { clientAddress } from '@wherry/http';
import type { FastifyRequest } from 'fastify';
import type { AuthContext } from '../context.ts';

/** What a request is counted under; undefined where its address is not known. */
export function requestAddress({ proxies, unnamedProxy }: AuthContext, request: FastifyRequest): string | undefined {
  unnamedProxy?.notice(request.raw);
  const { socket, headers } = request.raw;
  const forwarded = headers['x-forwarded-for'];
  return clientAddress({ peer: socket.remoteAddress, forwardedFor: Array.isArray(forwarded) ? forwarded.join() : forwarded }, proxies);
}
