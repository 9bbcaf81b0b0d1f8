import { readFileSync } from 'node:fs';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { IDENTITY_HEADERS, SIGNATURE_HEADER } from '@wherry/http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Workbench, raw, type RunningGateway } from './testing/workbench.ts';

/**
 * What proxies that cannot be run here are documented to send, byte for byte, and what they are documented to copy:
 * Traefik v3 ForwardAuth, Envoy v1.3x ext_authz over HTTP.
 */
const document = readFileSync(new URL('../../../docs/10-edges.md', import.meta.url), 'utf8');
const IDENTITY = [...Object.values(IDENTITY_HEADERS), SIGNATURE_HEADER];

let bench: Workbench;
let gateway: RunningGateway;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const upstream = 'http://127.0.0.1:9';
  gateway = await bench.gateway({
    routes: [
      { prefix: '/', upstream },
      { prefix: '/public', upstream, auth: 'none' },
      { prefix: '/shop', upstream, auth: 'optional' },
    ],
    forwardAuth: { uriHeader: 'X-Forwarded-Uri', prefix: '/ext-authz' },
    requestMs: PATIENT_MS,
  });
});
afterAll(async () => bench[Symbol.asyncDispose]());

type Headers = readonly (readonly [string, string])[];
interface Told {
  readonly status: number;
  readonly headers: Headers;
}

async function ask(line: string, headers: Headers): Promise<Told> {
  const text = await raw(
    gateway.gateway.port,
    `${line} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    (got) => got.includes('\r\n\r\n'),
  );
  const [first = '', ...lines] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
  return {
    status: Number(first.slice(9, 12)),
    headers: lines.map((each) => [each.slice(0, each.indexOf(':')), each.slice(each.indexOf(':') + 2)]),
  };
}
const has = (headers: Headers, name: string): string | undefined => headers.find(([each]) => each.toLowerCase() === name)?.[1];
const forged: Headers = [...IDENTITY.map((name) => [name, 'forged'] as const), ['X_Wherry_User_Id', 'forged'], ['x.wherry.kind', 'forged']];
const bearer = (): readonly [string, string] => ['Authorization', `Bearer ${gateway.issue({ userId: 'bob' })}`];

/** GET, the client's headers but those of the hop, and five of its own in the place of the client's. */
async function traefik(method: string, uri: string, client: Headers): Promise<{ status: number; request: Headers }> {
  const own: Headers = [
    ['X-Forwarded-Method', method],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'shop.example'],
    ['X-Forwarded-Uri', uri],
    ['X-Forwarded-For', '203.0.113.9'],
  ];
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  const rest = client.filter(([name]) => !names.has(name.toLowerCase()));
  const { status, headers } = await ask('GET /auth', [
    ['Host', '127.0.0.1:8080'],
    ['User-Agent', 'Go-http-client/1.1'],
    ...rest,
    ...own,
    ['Accept-Encoding', 'gzip'],
  ]);
  const expression = /authResponseHeadersRegex: "\(\?i\)([^"]*)"/.exec(document)?.[1] ?? '';
  const fits = new RegExp(expression, 'i');
  return { status, request: [...client.filter(([name]) => !fits.test(name)), ...headers.filter(([name]) => fits.test(name))] };
}

/** The original method, the path behind the prefix, no body, and the listed headers only. */
async function envoy(method: string, path: string, client: Headers): Promise<{ status: number; request: Headers }> {
  const removed = new Set([...document.matchAll(/\{ remove: ([a-z-]+) \}/g)].map(([, name]) => name));
  // `headers_with_underscores_action` has refused the request before.
  const clean = client.filter(([name]) => !removed.has(name.toLowerCase()) && !name.includes('_'));
  const allowed = clean.filter(([name]) => /^(?:authorization|cookie|origin|upgrade|sec-fetch-.*)$/i.test(name));
  const { status, headers } = await ask(`${method} /ext-authz${path}`, [
    ['host', 'shop.example'],
    ['content-length', '0'],
    ...allowed,
    ['x-envoy-internal', 'true'],
    ['x-forwarded-for', '10.0.0.1'],
    ['x-envoy-expected-rq-timeout-ms', '2000'],
  ]);
  const copied = headers.filter(([name]) => name.toLowerCase().startsWith('x-wherry-'));
  return {
    status,
    request: [...clean.filter(([name]) => !copied.some(([other]) => other.toLowerCase() === name.toLowerCase())), ...copied],
  };
}

describe.each([
  ['Traefik', traefik],
  ['Envoy', envoy],
] as const)("%s's question", (name, proxy) => {
  const spelled = (headers: Headers): Headers => (name === 'Envoy' ? headers.filter(([each]) => !/[._]/.test(each)) : headers);

  it.each(['GET', 'POST', 'DELETE', 'PATCH'])('%s is answered with the identity, and nothing of the claims is left', async (method) => {
    const { status, request } = await proxy(method, '/orders/1?x=1', [...forged, bearer(), ['Content-Length', '0']]);
    expect(status).toBe(200);
    expect(has(request, 'x-wherry-user-id')).toBe('bob');
    expect(JSON.stringify(spelled(request))).not.toContain('forged');
  });

  it('takes the claims of nobody away, where he may pass', async () => {
    for (const path of ['/public/a?b', '/shop/a']) {
      const { status, request } = await proxy('POST', path, forged);
      expect(status).toBe(200);
      expect(spelled(request).filter(([header]) => /^x[^a-z0-9]+wherry/i.test(header))).toEqual([]);
    }
  });

  it.each([
    ['/orders', 401],
    ['/publicity', 401],
    ['/public/../orders', 400],
    ['/public/%2e%2e/orders', 400],
    ['/public/..%2forders', 400],
    ['/PUBLIC/%61', 200],
    ['/orders?access_token=a.b.c', 400],
  ])('about %s is answered with %d from nobody, whatever path the client claims', async (path, status) => {
    expect(
      (
        await proxy('GET', path, [
          ['X-Forwarded-Uri', '/public'],
          ['X-Original-Uri', '/public'],
        ])
      ).status,
    ).toBe(status);
  });

  it('judges the credential finally: two headers are none', async () => {
    expect((await proxy('GET', '/shop', [bearer(), bearer()])).status).toBe(400);
    expect((await proxy('GET', '/shop', [['Authorization', 'Bearer a.b.c']])).status).toBe(401);
  });
});

it('the documents name every identity header for proxies that go by names', () => {
  const part = (heading: string): string => document.slice(document.indexOf(heading)).split('\n### ')[0]?.toLowerCase() ?? '';
  for (const name of IDENTITY) {
    expect(part('### Envoy')).toContain(`{ remove: ${name} }`);
    expect(part('### Caddy')).toContain(name);
  }
});

it('a prefix is one at the border of a segment only', async () => {
  const authorized: Headers = [['Host', 'a'], bearer(), ['Connection', 'close']];
  expect((await ask('GET /ext-authz/a', authorized)).status).toBe(200);
  // A route leads there, to an upstream that is not there.
  for (const path of ['/ext-authz', '/ext-authzz', '/ext-authz?a']) expect((await ask(`GET ${path}`, authorized)).status).toBe(502);
});
