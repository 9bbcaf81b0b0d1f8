import type { FastifyRequest } from 'fastify';
import type { AuthContext } from '../context.ts';
import { countedAddress } from './client-address.ts';

/** What a request is counted under; undefined where its address is not known. */
export function requestAddress({ proxies, unnamedProxy }: AuthContext, request: FastifyRequest): string | undefined {
  unnamedProxy?.notice(request.raw);
  return countedAddress(request.ip, proxies);
}
