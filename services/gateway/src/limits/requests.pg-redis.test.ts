import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { ExpressCookie, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import type { GatewayOptions } from '../options.ts';
import { Workbench, echo, raw, type RunningGateway, type Seen } from '../testing/workbench.ts';

const cookie = new ExpressCookie({ secrets: ['keyboard cat'] });
const ADDRESS = '198.51.100.7';
let bench: Workbench;
let source: SourceStore;
const seen: Seen[] = [];
let upstream: string;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'), 'source');
  source = createRedisSource({ url: inject('redisUrl'), prefix: `${randomBytes(6).toString('hex')}:`, timeoutMs: PATIENT_MS });
  upstream = (await bench.upstream(echo(seen))).url;
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await source.close();
});

async function gatewayOf(options: Partial<GatewayOptions>): Promise<RunningGateway> {
  return bench.gateway({ source, cookie, ...options });
}

/** The statuses of so many requests, one after another. */
async function statuses(times: number, { url }: RunningGateway, path: string, headers: Record<string, string>): Promise<number[]> {
  const found: number[] = [];
  for (let n = 0; n < times; n++) {
    const answer = await fetch(url + path, { headers });
    await answer.text();
    found.push(answer.status);
  }
  return found;
}

const bearer = (token: string, from = ADDRESS): Record<string, string> => ({ authorization: `Bearer ${token}`, 'x-forwarded-for': from });
const passed = (found: readonly number[]): number => found.filter((status) => status === 200).length;

describe('requests', () => {
  it('are bounded by user, whichever of his tokens he sends from wherever, and by nobody else', async () => {
    const gateway = await gatewayOf({ routes: [{ prefix: '/', upstream }], limits: { perUser: '5/1d' } });
    expect(passed(await statuses(3, gateway, '/', bearer(gateway.issue({ userId: 'ann' }))))).toBe(3);
    expect(passed(await statuses(3, gateway, '/auth', bearer(gateway.issue({ userId: 'ann' }), '192.0.2.1')))).toBe(2);
    expect(passed(await statuses(5, gateway, '/', bearer(gateway.issue({ userId: 'eve' }))))).toBe(5);
    const answer = await fetch(`${gateway.url}/`, { headers: bearer(gateway.issue({ userId: 'ann' })) });
    expect(answer.status).toBe(429);
    expect(await answer.json()).toMatchObject({ code: 'rate_limited', status: 429, type: 'urn:wherry:error:rate_limited' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(86_400 / 5 - 600);
    expect(answer.headers.get('ratelimit-policy')).toBe('"user";q=5;w=86400');
    expect(answer.headers.get('ratelimit')).toMatch(/^"user";r=0;t=\d+$/);
    expect(await gateway.page()).toMatch(/wherry_gateway_requests_total\{kind="jwt",code="rate_limited"\} 2/);
  });

  it('are bounded by client over all its users, and apart on a route with bounds of its own', async () => {
    const routes = [
      { prefix: '/', upstream },
      { prefix: '/dear', upstream, limits: { perUser: '1/1d' } },
    ];
    const gateway = await gatewayOf({ routes, limits: { perClient: '4/1d' } });
    const of = (userId: string, clientId: string): Record<string, string> => bearer(gateway.issue({ userId, clientId }));
    for (const user of ['ann', 'bob', 'eve', 'joe']) expect(passed(await statuses(1, gateway, '/', of(user, 'app')))).toBe(1);
    expect(await statuses(1, gateway, '/', of('kim', 'app'))).toEqual([429]);
    expect(await statuses(1, gateway, '/', of('kim', 'web'))).toEqual([200]);
    expect(await statuses(2, gateway, '/dear/thing', of('ann', 'app'))).toEqual([200, 429]);
  });

  it('are bounded by address before anybody is looked for, also where nobody is asked for', async () => {
    const routes = [{ prefix: '/', upstream, auth: 'none' }] as const;
    const gateway = await gatewayOf({
      routes,
      limits: { perAddress: '4/1d' },
      forwardAuth: { uriHeader: 'x-original-uri' },
    });
    const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });
    expect(passed(await statuses(6, gateway, '/', from('2001:db8:1:2::3')))).toBe(4);
    expect(passed(await statuses(1, gateway, '/', from('2001:db8:1:2:ffff::9')))).toBe(0);
    expect(passed(await statuses(1, gateway, '/', from('2001:db8:1:3::3')))).toBe(1);
    const asked = { ...from('2001:db8:1:2::3'), 'x-original-uri': '/' };
    expect(await statuses(1, gateway, '/auth', asked)).toEqual([429]);
    // An address that nobody tells is not one that all of those share.
    expect(passed(await statuses(9, gateway, '/', {}))).toBe(9);
  });
});

describe('a request by cookie that changes something', () => {
  async function signIn({ carried }: RunningGateway): Promise<string> {
    const rawId = randomBytes(18).toString('base64url');
    const value = JSON.stringify({ cookie: { originalMaxAge: 3_600_000, path: '/' }, user: { id: 42, name: 'ann', roles: ['R'] } });
    await carried!.save(rawId, value, 3_600_000);
    return cookie.build(rawId);
  }
  const there = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };

  it('is refused where another site has sent it, unless that is allowed, and goes on for everybody else', async () => {
    const routes = [
      { prefix: '/', upstream, auth: 'optional' },
      { prefix: '/strict', upstream, crossSite: 'strict' },
      { prefix: '/saml', upstream, crossSite: 'off' },
    ] as const;
    const gateway = await gatewayOf({ routes, allowedOrigins: ['https://pay.example'], forwardAuth: { uriHeader: 'x-original-uri' } });
    const own = await signIn(gateway);
    const send = async (path: string, method: string, headers: object): Promise<number> => {
      const answer = await fetch(gateway.url + path, { method, headers: { cookie: own, ...headers } });
      await answer.text();
      return answer.status;
    };
    seen.length = 0;
    expect(await send('/order', 'POST', there)).toBe(403);
    expect(await send('/order', 'DELETE', { 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await send('/strict/order', 'POST', { 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await send('/strict/order', 'POST', {})).toBe(403);
    expect(seen).toEqual([]);
    expect(await send('/order', 'POST', { ...there, origin: 'https://pay.example' })).toBe(200);
    expect(await send('/saml/acs', 'POST', there)).toBe(200);
    for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' }])
      expect(await send('/order', 'POST', headers)).toBe(200);
    expect(await send('/strict/order', 'POST', { 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await send('/order', 'GET', there)).toBe(200);
    // A token is sent on purpose, whatever cookies come along.
    expect(await send('/order', 'POST', { ...there, ...bearer(gateway.issue()) })).toBe(200);
    // Another proxy's question has the method of what it asks for.
    expect(await send('/auth', 'GET', { ...there, 'x-original-uri': '/order', 'x-forwarded-method': 'POST' })).toBe(403);
    expect(await send('/auth', 'GET', { ...there, 'x-original-uri': '/order', 'x-forwarded-method': 'GET' })).toBe(200);
    expect(await send('/auth', 'GET', { ...there, 'x-original-uri': '/saml', 'x-forwarded-method': 'POST' })).toBe(200);
    const refused = await fetch(`${gateway.url}/order`, { method: 'POST', headers: { cookie: own, ...there } });
    expect([refused.headers.get('x-wherry-reason'), refused.headers.get('www-authenticate')]).toEqual(['cross_site_refused', null]);
    expect(await refused.json()).toMatchObject({ code: 'cross_site_refused', status: 403 });
  });

  it('cannot open a WebSocket from another site', async () => {
    const gateway = await gatewayOf({ routes: [{ prefix: '/', upstream }] });
    const wish = (site: string, own: string): string =>
      `GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-Fetch-Site: ${site}\r\nCookie: ${own}\r\n\r\n`;
    const own = await signIn(gateway);
    const line = async (site: string): Promise<string> =>
      (await raw(gateway.gateway.port, wish(site, own), (got) => got.includes('\r\n\r\n'))).slice(0, 12);
    expect(await line('cross-site')).toBe('HTTP/1.1 403');
    expect(await line('same-origin')).not.toBe('HTTP/1.1 403');
  });

  it('tells the upstream nothing of the cookie by which tokens are renewed', async () => {
    const gateway = await gatewayOf({ routes: [{ prefix: '/', upstream, auth: 'none' }] });
    seen.length = 0;
    const ways = ['__Host-rt=secret', 'a=1; __Host-rt=secret; b=2', 'a=1;__Host-rt=secret', '__Host-rt = secret;a=1'];
    for (const way of ways) expect(await statuses(1, gateway, '/', { cookie: way })).toEqual([200]);
    expect(seen.map(({ headers }) => headers.cookie)).toEqual([undefined, 'a=1; b=2', 'a=1', 'a=1']);
    // In two lines, as HTTP/2 proxies send it, and in other letters.
    await raw(gateway.gateway.port, 'GET / HTTP/1.1\r\nHost: x\r\nCOOKIE: __Host-rt=secret\r\ncookie: a=1\r\nConnection: close\r\n\r\n');
    expect(JSON.stringify(seen)).not.toContain('secret');
    expect(seen.at(-1)?.headers.cookie).toBe('a=1');
  });
});
