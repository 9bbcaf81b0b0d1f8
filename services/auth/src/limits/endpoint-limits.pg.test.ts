import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { expectProblem, logIn } from '../testing/people.ts';
import { EXCHANGE, basicHeader, startService, type Answer, type Running } from '../testing/service.ts';
import type { EndpointLimitOptions } from './endpoint-limits.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'target');
  await cluster.control.query("UPDATE rollout SET phase = 'dual'");
});
afterAll(() => cluster[Symbol.asyncDispose]());

async function service(endpointLimits: EndpointLimitOptions): Promise<Running> {
  const running = await startService(cluster, { endpointLimits });
  onTestFinished(() => running[Symbol.asyncDispose]());
  return running;
}

const SHOP = basicHeader('shop', 'shop secret');
const exchange = async (auth: Running, token: string, from: string, authorization?: string): Promise<Answer> =>
  auth.exchange(
    { grant_type: EXCHANGE, subject_token_type: 'urn:wherry:token-type:session', subject_token: token },
    { 'x-forwarded-for': from, ...(authorization === undefined ? {} : { authorization }) },
  );
async function codes(times: number, ask: () => Promise<Answer>): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let n = 0; n < times; n++) {
    const { status, body } = await ask();
    const name = `${status} ${(body['code'] as string | undefined) ?? ''}`;
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
}

describe('the endpoints of clients', () => {
  it('let an address try so many secrets, and answer nobody else 429 for it, whoever was named', async () => {
    const auth = await service({ perAddress: '50/1d' });
    const { sessionToken } = await logIn(auth);
    const guess = async (): Promise<Answer> => exchange(auth, sessionToken, '198.51.100.66', basicHeader('shop', 'wrong'));
    expect(await codes(20, guess)).toEqual({ '401 client_unauthenticated': 5, '429 rate_limited': 15 });
    const refused = await guess();
    expect([refused.body['error'], refused.body['code']]).toEqual(['invalid_request', 'rate_limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('ratelimit-policy')).toBe('"address";q=50;w=86400');
    expect(refused.headers.get('ratelimit')).toMatch(/^"address";r=0;t=\d+$/);
    expect((await exchange(auth, sessionToken, '203.0.113.1', SHOP)).status).toBe(200);
    expect((await exchange(auth, sessionToken, '203.0.113.1')).status).toBe(200);
  });

  it('bound what a stranger may ask, and not a client from the same address that proves itself', async () => {
    const auth = await service({ perAddress: '30/1d', perClient: '100/1d' });
    const { sessionToken } = await logIn(auth);
    const from = '198.51.100.7';
    expect(await codes(60, async () => exchange(auth, sessionToken, from, SHOP))).toEqual({ '200 ': 60 });
    expect(await codes(35, async () => exchange(auth, sessionToken, from))).toEqual({ '200 ': 30, '429 rate_limited': 5 });
    // Nothing is left of the address now, and the client would have to be let in to prove itself.
    expect((await exchange(auth, sessionToken, from, SHOP)).status).toBe(429);
    expect((await exchange(auth, sessionToken, '198.51.100.8', SHOP)).status).toBe(200);
  });

  it('bound a client wherever it asks from, and no other one', async () => {
    const auth = await service({ perClient: '10/1d' });
    const { accessToken } = await logIn(auth);
    let n = 0;
    const introspect = async (client: string, secret: string): Promise<Answer> => {
      const headers = {
        authorization: basicHeader(client, secret),
        'content-type': 'application/x-www-form-urlencoded',
        'x-forwarded-for': `198.51.100.${n++}`,
      };
      const answer = await fetch(`${auth.url}/oauth/introspect`, {
        method: 'POST',
        headers,
        body: new URLSearchParams({ token: accessToken }).toString(),
      });
      return { status: answer.status, headers: answer.headers, text: '', body: (await answer.json()) as Record<string, unknown> };
    };
    const found = await codes(15, async () => introspect('shop', 'shop secret'));
    expect(found).toEqual({ '200 ': 10, '429 rate_limited': 5 });
    expect((await introspect('ops', 'ops secret')).status).toBe(200);
  });

  it('count log-ins that are handed over, and leave other routes alone', async () => {
    const auth = await service({ perAddress: '20/1d' });
    const handOver = async (): Promise<Answer> =>
      auth.send('POST', '/v1/logins', {
        basic: ['shop', 'wrong'],
        headers: { 'x-forwarded-for': '198.51.100.9' },
        body: { userId: '1', authorities: [], sourceSessionId: 'x' },
      });
    expectProblem(await handOver(), 401, 'client_unauthenticated');
    expectProblem(await handOver(), 401, 'client_unauthenticated');
    expectProblem(await handOver(), 429, 'rate_limited');
    const other = await auth.send('GET', '/v1/whoami', { headers: { 'x-forwarded-for': '198.51.100.9' } });
    expect(other.status).not.toBe(429);
  });
});
