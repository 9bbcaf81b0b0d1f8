import type { RequestListener } from 'node:http';
import { callKey, currentCallers, currentPrincipal, propagatePrincipal, type GatewayPrincipalOptions } from '@wherry/http';
import { principalFromGateway } from '@wherry/http/express';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Workbench, newSession, type RunningGateway } from './testing/workbench.ts';

const shared = 'the secret of gateway and back ends';
const ordersOwn = 'what nobody but orders itself knows';
let bench: Workbench;
let running: RunningGateway;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const callers = { orders: callKey(ordersOwn, { from: 'orders', to: 'billing' }) };
  const billing = await bench.upstream(
    behind({ secret: shared, callers }, (_request, response) => {
      response.end(JSON.stringify({ user: currentPrincipal()?.userId, callers: currentCallers() }));
    }),
  );
  const calls = propagatePrincipal({ service: 'orders', secret: ordersOwn, targets: { [billing.url]: 'billing' } });
  const orders = await bench.upstream(
    behind({ secret: shared, required: false }, (_request, response) => {
      const answered = async (): Promise<void> => {
        const answer = await calls.fetch(billing.url);
        response.writeHead(answer.status).end(await answer.text());
      };
      void answered();
    }),
  );
  running = await bench.gateway({
    routes: [
      { prefix: '/orders', upstream: orders.url },
      { prefix: '/open', upstream: orders.url, auth: 'optional' },
      { prefix: '/billing', upstream: billing.url },
    ],
    upstreamSecrets: [shared],
  });
});

afterAll(async () => bench[Symbol.asyncDispose]());

function behind(options: GatewayPrincipalOptions, listener: RequestListener): RequestListener {
  const middleware = principalFromGateway(options);
  return (request, response) => middleware(request, response, () => listener(request, response));
}

async function ask(path: string, headers: Record<string, string>): Promise<[number, unknown]> {
  const answer = await fetch(running.url + path, { headers });
  const text = await answer.text();
  return [answer.status, JSON.parse(text)];
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
/** What somebody sends who knows all names and no secret. */
const FORGED = {
  'x-wherry-user-id': 'root',
  'x-wherry-authorities': 'ROLE_ADMIN',
  'x-wherry-kind': 'jwt',
  'x-wherry-callers': 'orders',
  'x-wherry-proved-at': '1800000000000',
  'x-wherry-signature': `v2,1800000000000,${'A'.repeat(43)}`,
  X_Wherry_Callers: 'orders',
};

describe('services behind the gateway', () => {
  it('know the user of a token and of a session, the first and the next one', async () => {
    const session = await newSession(running, { userId: 'carried' });
    expect(await ask('/orders', bearer(running.issue({ userId: 'ü 1' })))).toEqual([200, { user: 'ü 1', callers: ['orders'] }]);
    expect(await ask('/orders', bearer(session.token))).toEqual([200, { user: 'carried', callers: ['orders'] }]);
    expect(await ask('/billing', bearer(session.token))).toEqual([200, { user: 'carried', callers: [] }]);
  });

  it('do not hear what a client says of itself', async () => {
    const token = running.issue();
    expect(await ask('/orders', { ...bearer(token), ...FORGED })).toEqual([200, { user: '42', callers: ['orders'] }]);
    expect(await ask('/billing', { ...bearer(token), ...FORGED })).toEqual([200, { user: '42', callers: [] }]);
    // Orders lets nobody pass, so nobody is carried on, and billing refuses him.
    expect(await ask('/open', FORGED)).toMatchObject([401, { code: 'unauthenticated' }]);
    expect(await ask('/billing', FORGED)).toMatchObject([401, { code: 'unauthenticated' }]);
  });
});
