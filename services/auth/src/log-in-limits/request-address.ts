import { clientAddress } from '@wherry/http';
import type { FastifyRequest } from 'fastify';
import type { AuthContext } from '../context.ts';

/** What a request is counted under; undefined where its address is not known. */
export function requestAddress({ proxies, unnamedProxy }: AuthContext, { raw }: Pick<FastifyRequest, 'raw'>): string | undefined {
  const forwarded = raw.headers['x-forwarded-for'];
  const source = { peer: raw.socket.remoteAddress, forwardedFor: Array.isArray(forwarded) ? forwarded.join() : forwarded };
  unnamedProxy?.notice(source);
  return clientAddress(source, proxies);
}
