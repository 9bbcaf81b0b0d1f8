import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { runWithIdentity, runWithPrincipal } from './principal-context.ts';
import { propagatePrincipal, type PrincipalPropagation } from './principal-propagation.ts';
import type { Principal } from './principal.ts';
import { listening, type Serving } from './testing/middleware-fixture.ts';

const secret = randomBytes(32);
const user: Principal = { userId: 'ü1', authorities: ['read'], kind: 'jwt', sessionId: '5' };

/** One request as it arrived. */
interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Place = Serving & { readonly arrived: Arrived[] };

/** A server that redirects as the query says (`/?302=…`) and answers 200 otherwise; it keeps what arrives. */
async function place(): Promise<Place> {
  const arrived: Arrived[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request;
    arrived.push({ method, url, headers, body: await text(request) });
    const [[status, location] = ['200', '']] = new URL(url, 'http://a').searchParams;
    response.writeHead(Number(status), location === '' ? {} : { location });
    response.end('answer');
  };
  const serving = await listening(createServer((request, response) => void answer(request, response)));
  return Object.assign(serving, { arrived });
}

const to = (status: number, location: string): string => `/?${status}=${encodeURIComponent(location)}`;
const calls = (...places: Serving[]): PrincipalPropagation =>
  propagatePrincipal({ service: 'orders', secret, targets: Object.fromEntries(places.map(({ url }, n) => [url, `target-${n}`])) });
const asUser = <T>(work: () => T): T => runWithPrincipal(user, work);
const carried = ({ arrived }: Place): (string | string[] | undefined)[] => arrived.map(({ headers }) => headers['x-wherry-user-id']);
const anyIdentity = ({ arrived }: Place): string[] =>
  arrived.flatMap(({ headers }) => Object.keys(headers).filter((name) => /x[^a-z]wherry/.test(name)));

describe('propagatePrincipal', () => {
  it('carries the principal to its targets, and nothing to anybody else', async () => {
    await using target = await place();
    await using stranger = await place();
    const { fetch, headersFor } = calls(target);
    await asUser(async () => {
      // As somebody does who hands on all that he received.
      const headers = { 'x-wherry-user-id': 'root', X_Wherry_Kind: 'jwt', 'x-wherry-signature': 'v1,x', 'x-own': 'kept' };
      await fetch(`${target.url}/a`, { headers });
      await fetch(new Request(`${stranger.url}/b`, { headers }));
      await fetch(new URL(`${stranger.url}/c`), { headers });
      expect(headersFor(stranger.url)).toEqual({});
    });
    expect(target.arrived[0]?.headers).toMatchObject({
      'x-wherry-user-id': '%C3%BC1',
      'x-wherry-callers': 'orders',
      'x-own': 'kept',
    });
    expect(target.arrived[0]?.headers).not.toHaveProperty('x_wherry_kind');
    expect(stranger.arrived.map(({ headers }) => headers['x-own'])).toEqual(['kept', 'kept']);
    expect(anyIdentity(stranger)).toEqual([]);
  });

  it('carries nothing where nobody has signed in', async () => {
    await using target = await place();
    const { fetch, headersFor } = calls(target);
    await fetch(target.url, { headers: { 'x-wherry-user-id': 'root' } });
    await asUser(() => runWithPrincipal(undefined, () => fetch(target.url)));
    expect(anyIdentity(target)).toEqual([]);
    expect(headersFor(target.url)).toEqual({});
  });

  it.each([
    'http://billing:8081',
    'https://billing:8080',
    'http://billing.:8080',
    'http://billing:8080@evil/',
    'http://evil/http://billing:8080',
  ])('does not take %s for http://billing:8080', (url) => {
    const { headersFor } = propagatePrincipal({ service: 'orders', secret, targets: { 'http://billing:8080': 'billing' } });
    expect(asUser(() => headersFor(url))).toEqual({});
    expect(asUser(() => headersFor('http://BILLING:8080/x?y#z'))).toHaveProperty('x-wherry-user-id');
  });

  it('refuses what cannot be meant', () => {
    const made =
      (change: object): (() => unknown) =>
      () =>
        propagatePrincipal({ service: 'orders', secret, targets: { 'http://billing': 'billing' }, ...change });
    expect(made({})).not.toThrow();
    for (const change of [
      { secret: 'short' },
      { service: 'a b' },
      { service: '' },
      { service: 'a,b' },
      { targets: { 'http://billing/': 'billing' } },
      { targets: { 'http://billing:80': 'billing' } },
      { targets: { billing: 'billing' } },
      { targets: { 'ftp://billing': 'billing' } },
      { targets: { null: 'billing' } },
      { targets: { 'http://billing': 'a\nb' } },
    ]) {
      expect(made(change)).toThrow(
        expect.objectContaining({ code: 'config_invalid', message: expect.not.stringContaining('short') as string }),
      );
    }
  });

  it('stops where a call has come through 8 services, and where the gateway named the user long ago', () => {
    const { headersFor } = propagatePrincipal({ service: 'orders', secret, targets: { 'http://billing': 'billing' } });
    const from = (callers: string[], age: number) => () =>
      runWithIdentity({ principal: user, callers, provedAt: Date.now() - age }, () => headersFor('http://billing/'));
    const seven = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    expect(from(seven, 0)()).toMatchObject({ 'x-wherry-callers': 'a,b,c,d,e,f,g,orders' });
    expect(from([...seven, 'h'], 0)).toThrow(expect.objectContaining({ code: 'call_chain_too_deep' }));
    expect(from([], 14 * 60_000)).not.toThrow();
    expect(from([], 16 * 60_000)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });
});

describe('a redirect', () => {
  it('within the origin is followed with the principal', async () => {
    await using target = await place();
    const { fetch } = calls(target);
    const answer = await asUser(() => fetch(target.url + to(302, '/there'), { headers: { authorization: 'Bearer x' } }));
    expect([answer.status, await answer.text()]).toEqual([200, 'answer']);
    expect(target.arrived.map(({ url }) => url.slice(0, 6))).toEqual(['/?302=', '/there']);
    expect(carried(target)).toEqual(['%C3%BC1', '%C3%BC1']);
    expect(target.arrived[1]?.headers.authorization).toBe('Bearer x');
  });

  it.each([301, 302, 303, 307, 308])(
    'of %i to another origin loses the principal for good, also at another target and on the way back',
    async (status) => {
      await using target = await place();
      await using other = await place();
      await using stranger = await place();
      const { fetch } = calls(target, other);
      const headers = { authorization: 'Bearer x', cookie: 'a=b', 'x-own': 'kept' };
      for (const via of [stranger, other]) {
        const back = via.url + to(status, `${target.url}/back`);
        const answer = await asUser(() => fetch(target.url + to(status, back), { headers }));
        expect(answer.status).toBe(200);
        expect(via.arrived).toHaveLength(1);
        expect(anyIdentity(via)).toEqual([]);
        expect(via.arrived[0]?.headers).toMatchObject({ 'x-own': 'kept' });
        expect(via.arrived[0]?.headers).not.toHaveProperty('authorization');
        expect(via.arrived[0]?.headers).not.toHaveProperty('cookie');
      }
      expect(carried(target)).toEqual(['%C3%BC1', undefined, '%C3%BC1', undefined]);
      expect(target.arrived.map(({ url }) => url === '/back')).toEqual([false, true, false, true]);
    },
  );

  it('from a stranger to a target carries nothing', async () => {
    await using target = await place();
    await using stranger = await place();
    await asUser(() => calls(target).fetch(stranger.url + to(302, target.url)));
    expect(anyIdentity(target)).toEqual([]);
    expect(target.arrived).toHaveLength(1);
  });

  it('is told apart from its tricks by the origin alone', async () => {
    await using target = await place();
    await using stranger = await place();
    const { fetch } = calls(target);
    const host = new URL(stranger.url).host;
    for (const location of [`//${host}/`, `\\\\${host}/`, `http:\\\\${host}/`, `HTTP://${host}`]) {
      await asUser(() => fetch(target.url + to(302, location)));
    }
    expect(stranger.arrived).toHaveLength(4);
    expect(anyIdentity(stranger)).toEqual([]);
    for (const location of ['ftp://x/', 'javascript:alert(1)', 'http://', 'data:text/plain,x']) {
      await expect(asUser(() => fetch(target.url + to(302, location)))).rejects.toThrow(TypeError);
    }
  });

  it('keeps method and body as the standard says', async () => {
    await using target = await place();
    const { fetch } = calls(target);
    for (const [status, method, then, body] of [
      [301, 'POST', 'GET', ''],
      [302, 'POST', 'GET', ''],
      [302, 'PUT', 'PUT', 'the body'],
      [303, 'PUT', 'GET', ''],
      [307, 'POST', 'POST', 'the body'],
      [308, 'PATCH', 'PATCH', 'the body'],
    ] as const) {
      target.arrived.length = 0;
      await asUser(() => fetch(target.url + to(status, '/there'), { method, body: 'the body', headers: { 'content-type': 'text/x' } }));
      expect(target.arrived[1]).toMatchObject({ method: then, body });
      expect(target.arrived[1]?.headers['content-type']).toBe(body === '' ? undefined : 'text/x');
      expect(carried(target)).toEqual(['%C3%BC1', '%C3%BC1']);
    }
    const stream = { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' } as const;
    await expect(asUser(() => fetch(target.url + to(307, '/there'), stream))).rejects.toThrow('cannot be read twice');
    const request = new Request(target.url + to(307, '/there'), { method: 'POST', body: 'x' });
    await expect(asUser(() => fetch(request))).rejects.toThrow('cannot be read twice');
  });

  it('is left alone where the caller wants to see it, and followed 20 times at most', async () => {
    await using target = await place();
    const { fetch } = calls(target);
    const manual = await asUser(() => fetch(target.url + to(302, '/there'), { redirect: 'manual' }));
    expect([manual.status, manual.headers.get('location'), target.arrived.length]).toEqual([302, '/there', 1]);
    const asked = new Request(target.url + to(302, '/there'), { redirect: 'manual' });
    expect((await asUser(() => fetch(asked))).status).toBe(302);
    await expect(asUser(() => fetch(target.url + to(302, '/there'), { redirect: 'error' }))).rejects.toThrow(TypeError);
    target.arrived.length = 0;
    // Its own address, so that it leads to itself for ever.
    const answer = asUser(() => fetch(`${target.url}/?302=`, { redirect: 'follow' }));
    await expect(answer).resolves.toMatchObject({ status: 302 });
    await using circle = await listening(createServer((_request, response) => void response.writeHead(302, { location: '/' }).end()));
    await expect(asUser(() => calls(circle).fetch(circle.url))).rejects.toThrow('more redirects');
  });

  it('is not followed any further after the caller has given up', async () => {
    const given = new AbortController();
    const paths: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url);
      if (request.url === '/there') given.abort();
      else response.writeHead(302, { location: '/there' }).end();
    });
    await using target = await listening(server);
    await expect(asUser(() => calls(target).fetch(target.url, { signal: given.signal }))).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    );
    expect(paths).toEqual(['/', '/there']);
  });
});
