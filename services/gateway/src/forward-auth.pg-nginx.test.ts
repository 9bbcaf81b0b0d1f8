import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { startNginx, type NginxServer } from '@wherry/embedded';
import { silentLogger } from '@wherry/core';
import { IDENTITY_HEADERS, SIGNATURE_HEADER } from '@wherry/http';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Caller } from './caller.ts';
import { Counts } from './counts.ts';
import { ForwardAuth } from './forward-auth.ts';
import { refusal, refusalResponding, type Outcome } from './outcome.ts';
import { RouteTable } from './routes.ts';
import { Workbench, echo, newSession, raw, type RunningGateway, type Seen } from './testing/workbench.ts';

/** The recipe as it stands in the document, with the addresses of this run. */
const document = readFileSync(new URL('../../../docs/10-edges.md', import.meta.url), 'utf8');
const recipe = /```nginx\n([^]*?)```/.exec(document)?.[1] ?? '';
const filled =
  (gateway: string, app: string) =>
  (port: number): string =>
    recipe
      .replaceAll('http://127.0.0.1:8080', gateway)
      .replaceAll('http://127.0.0.1:3000', app)
      .replaceAll('listen 127.0.0.1:8000', `listen 127.0.0.1:${port}`);

let bench: Workbench;
let gateway: RunningGateway;
let nginx: NginxServer;
let app: { readonly url: string; readonly server: ReturnType<typeof createServer> };
const seen: Seen[] = [];
const servers: NginxServer[] = [];
const start = async (gatewayUrl: string): Promise<NginxServer> => {
  const server = await startNginx({ command: inject('nginxCommand'), http: filled(gatewayUrl, app.url) });
  servers.push(server);
  return server;
};

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  app = await bench.upstream(echo(seen));
  gateway = await bench.gateway({
    routes: [
      { prefix: '/', upstream: 'http://127.0.0.1:9' },
      { prefix: '/public', upstream: 'http://127.0.0.1:9', auth: 'none' },
      { prefix: '/shop', upstream: 'http://127.0.0.1:9', auth: 'optional' },
    ],
    forwardAuth: { uriHeader: 'x-original-uri' },
    upstreamSecrets: ['x'.repeat(32)],
  });
  nginx = await start(gateway.url);
});
afterAll(async () => {
  for (const server of servers) await server.stop();
  await bench[Symbol.asyncDispose]();
});

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const forged = Object.fromEntries([...Object.values(IDENTITY_HEADERS), SIGNATURE_HEADER].map((name) => [name, 'forged']));

describe('nginx, configured as the document says', () => {
  it('passes a user on with his identity, whatever he claims, his body and his method', async () => {
    const token = gateway.issue({ userId: 'ü,1', authorities: ['A', 'B,C'] });
    const answer = await fetch(`${nginx.url}/orders/1?x=%20y`, { method: 'POST', body: 'body', headers: { ...forged, ...bearer(token) } });
    expect(answer.status).toBe(200);
    const { headers, method, url, body } = (await answer.json()) as Seen;
    expect({ method, url, body }).toEqual({ method: 'POST', url: '/orders/1?x=%20y', body: 'body' });
    expect(headers).toMatchObject({
      'x-wherry-user-id': encodeURIComponent('ü,1'),
      'x-wherry-kind': 'jwt',
      'x-wherry-authorities': 'A,B%2CC',
    });
    expect(headers['x-wherry-signature']).toMatch(/^v1,/);
    expect(JSON.stringify(headers)).not.toContain('forged');
  });

  it('takes the claims of nobody away', async () => {
    const spelled = 'X_Wherry_User_Id: forged\r\nx.wherry.user.id: forged\r\nX-Wherry-User-Id: forged\r\nX-WHERRY-KIND: forged\r\n';
    for (const path of ['/public/a', '/shop/a']) {
      const before = seen.length;
      const answer = await raw(nginx.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${spelled}Connection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(JSON.stringify(seen.slice(before))).not.toMatch(/forged|wherry/i);
    }
  });

  it('believes no path but its own', async () => {
    const before = seen.length;
    const answer = await fetch(`${nginx.url}/orders`, { headers: { 'x-original-uri': '/public/a', 'x-forwarded-uri': '/public/a' } });
    expect(answer.status).toBe(401);
    expect((await fetch(`${nginx.url}/_wherry`)).status).toBe(404);
    // nginx matches the path as it reads it and tells the gateway what was written: the two must not differ in what they allow.
    for (const path of ['/public/../orders', '/public/%2e%2e/orders', '/public/..%2forders', '//orders', '/public;/../orders']) {
      const text = await raw(nginx.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      expect([400, 401]).toContain(Number(text.slice(9, 12)));
    }
    expect(seen.length).toBe(before);
  });

  it.each([
    ['nobody', {}, 401, 'unauthenticated', 'Bearer'],
    ['garbage', bearer('garbage'), 401, 'credential_unknown', 'Bearer error="invalid_token"'],
    ['a token in the query', {}, 400, 'bad_request', null, '/orders?access_token=a.b.c'],
  ])('refuses %s with the reason in headers and body', async (_what, headers, status, code, challenge, path = '/orders') => {
    const answer = await fetch(`${nginx.url}${path}`, { headers });
    expect([answer.status, answer.headers.get('x-wherry-reason'), answer.headers.get('www-authenticate')]).toEqual([
      status,
      code,
      challenge,
    ]);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toMatchObject({ status, code });
  });

  it('refuses a session that was ended, on the next request', async () => {
    const { token, key } = await newSession(gateway);
    expect((await fetch(`${nginx.url}/a`, { headers: bearer(token) })).status).toBe(200);
    const seq = await gateway.runtime.revocations.endSession({ slot: key.slot, id: key.id, digest: key.digest, reason: 'logout' });
    expect(await gateway.runtime.revocations.propagated(seq)).toBe(true);
    const answer = await fetch(`${nginx.url}/a`, { headers: bearer(token) });
    expect([answer.status, answer.headers.get('x-wherry-reason')]).toEqual([401, 'session_ended']);
  });

  it('passes nothing on when the gateway is away: 503', async () => {
    const before = seen.length;
    const { url } = await start('http://127.0.0.1:9');
    const answer = await fetch(`${url}/orders`, { headers: bearer(gateway.issue()) });
    expect([answer.status, await answer.json()]).toEqual([503, { title: 'Service Unavailable', status: 503, code: '' }]);
    expect(seen.length).toBe(before);
  });

  it('opens WebSockets for users only', async () => {
    const sockets = new WebSocketServer({ server: app.server, path: '/ws' });
    sockets.on('connection', (socket, request) => socket.send(String(request.headers['x-wherry-user-id'])));
    try {
      const socket = new WebSocket(`${nginx.url.replace('http', 'ws')}/ws`, {
        headers: { ...forged, ...bearer(gateway.issue({ userId: 'bob' })) },
      });
      expect(String((await once(socket, 'message'))[0])).toBe('bob');
      socket.terminate();
      const refused = new WebSocket(`${nginx.url.replace('http', 'ws')}/ws`);
      refused.on('error', () => undefined);
      const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }];
      expect(response.statusCode).toBe(401);
      refused.terminate();
    } finally {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    }
  });
});

describe('what the gateway gives back', () => {
  it('reaches the client by way of nginx: a cookie of a user, and of one who is refused; and when to come again', async () => {
    const cookie = ['Set-Cookie', '__Host-rt=new; Path=/; Secure; HttpOnly; SameSite=Strict'];
    let outcome: Outcome = new Caller('jwt', { userId: 'ann', authorities: [], kind: 'jwt' }, 0, undefined).responding(cookie);
    const asked: (string | undefined)[] = [];
    const check = new ForwardAuth({
      authenticator: { judge: () => outcome, counts: new Counts() },
      routes: new RouteTable([]),
      log: silentLogger,
      uriHeader: undefined,
    });
    const server = createServer((request, response) => {
      asked.push(request.headers['x-original-method'] as string | undefined);
      void Promise.resolve(check.answer(request)).then((answer) => answer.send(response));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { url } = await start(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const passed = await fetch(`${url}/a`, { method: 'DELETE', headers: { 'x-original-method': 'GET' } });
      expect([passed.status, passed.headers.getSetCookie()]).toEqual([200, [cookie[1]]]);
      expect(seen.at(-1)!.headers['set-cookie']).toBeUndefined();
      outcome = refusalResponding(refusal('cookie', 'session_ended'), cookie);
      const refused = await fetch(`${url}/a`);
      expect([refused.status, refused.headers.getSetCookie()]).toEqual([401, [cookie[1]]]);
      outcome = refusal('jwt', 'revocations_stale');
      const unknown = await fetch(`${url}/a`);
      expect([unknown.status, unknown.headers.get('x-wherry-reason')]).toEqual([503, 'revocations_stale']);
      expect(asked).toEqual(['DELETE', 'GET', 'GET']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('names in the recipe every header that tells who somebody is', () => {
    for (const name of [...Object.values(IDENTITY_HEADERS), SIGNATURE_HEADER]) {
      expect(recipe.toLowerCase()).toContain(`proxy_set_header ${name} $`);
    }
  });
});

it('an nginx that is stopped is gone', async () => {
  const server = await start('http://127.0.0.1:9');
  await server.stop();
  await vi.waitFor(async () => expect(fetch(server.url)).rejects.toThrow());
});
