import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { silentLogger } from '@wherry/core';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { Caller } from '../caller.ts';
import { Counts } from '../counts.ts';
import { ForwardAuth } from '../forward-auth.ts';
import { refusal, refusalResponding, type Outcome } from '../outcome.ts';
import { RouteTable } from '../routes.ts';
import { ReverseProxy } from './proxy.ts';
import { responseOn } from './upgrade.ts';

const OURS = [
  'Set-Cookie',
  '__Host-rt=new; Path=/; Secure; HttpOnly',
  'Set-Cookie',
  'b=2',
  'Cache-Control',
  'no-store',
  'X-Access-Token',
  'abc',
];
const caller = new Caller('jwt', { userId: 'ann', authorities: [], kind: 'jwt' }, 0, undefined);
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that passes everything on to `upstream` for a caller whose answers carry ours. */
async function passing(upstream: string): Promise<string> {
  const [route] = [new RouteTable([{ prefix: '/', upstream }]).find('/')!];
  const proxy = new ReverseProxy({
    upstreams: [upstream],
    idleMs: PATIENT_MS,
    responseMs: PATIENT_MS,
    onResult: () => undefined,
    addressOf: () => undefined,
    judgeAgain: (known) => known,
  });
  const one = caller.responding(OURS);
  const rest = { route, caller: one, respond: one.respond, expectsContinue: false, now: Date.now() };
  const server = createServer((request, response) => proxy.pass({ request, response, head: undefined, ...rest }));
  server.on('upgrade', (request, _socket, head: Buffer) => proxy.pass({ request, response: responseOn(request), head, ...rest }));
  const url = await listen(server);
  closers.push(async () => proxy.destroy());
  return url;
}

const answerOf = async (url: string): Promise<IncomingMessage> => {
  const [response] = (await once(httpRequest(url).end(), 'response')) as [IncomingMessage];
  response.resume();
  return response;
};

describe('headers that go back to the client of one request', () => {
  it('are added to the answer of the upstream, in the place of its own where there can be one only', async () => {
    const app: RequestListener = (_request, response) => {
      response.writeHead(201, { 'set-cookie': ['own=1', 'other=2'], 'cache-control': 'public, max-age=600', 'x-access-token': 'theirs' });
      response.end('ok');
    };
    const { headers, statusCode } = await answerOf(await passing(await listen(createServer(app))));
    expect(statusCode).toBe(201);
    expect(headers['set-cookie']).toEqual(['own=1', 'other=2', '__Host-rt=new; Path=/; Secure; HttpOnly', 'b=2']);
    expect([headers['cache-control'], headers['x-access-token']]).toEqual(['no-store', 'abc']);
  });

  it('reach him also where the upstream is away, or breaks off', async () => {
    const broken = await listen(createServer((request) => request.socket.destroy()));
    for (const upstream of ['http://127.0.0.1:9', broken]) {
      const { headers, statusCode } = await answerOf(await passing(upstream));
      expect(statusCode).toBe(502);
      expect(headers['set-cookie']).toEqual(['__Host-rt=new; Path=/; Secure; HttpOnly', 'b=2']);
      expect([headers['cache-control'], headers['x-access-token']]).toEqual(['no-store', 'abc']);
    }
  });

  it('go with the answer to a handshake', async () => {
    const server = createServer();
    server.on('upgrade', (_request, socket) => {
      const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
      socket.write(
        `HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: own=1\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      closers.push(async () => socket.destroy());
    });
    const url = await passing(await listen(server));
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const text = String((await once(socket, 'data'))[0]);
    socket.destroy();
    expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(text.match(/set-cookie: [^;\r]*/gi)).toEqual(['Set-Cookie: own=1', 'Set-Cookie: __Host-rt=new', 'Set-Cookie: b=2']);
  });

  it('are in the answer of a check: of a user, of a refusal, and of nobody', async () => {
    const answerFor = async (outcome: Outcome, path = '/a'): Promise<readonly string[]> => {
      const routes = new RouteTable([
        { prefix: '/', upstream: 'http://a' },
        { prefix: '/shop', upstream: 'http://a', auth: 'optional' },
      ]);
      const check = new ForwardAuth({
        authenticator: { judge: () => outcome, counts: new Counts() },
        routes,
        log: silentLogger,
        uriHeader: 'x-uri',
      });
      return (await check.answer({ url: '/auth', rawHeaders: ['x-uri', path] })).headers;
    };
    const refused = refusalResponding(refusal('cookie', 'session_ended'), OURS);
    for (const headers of [await answerFor(caller.responding(OURS)), await answerFor(refused), await answerFor(refused, '/shop')]) {
      expect(headers.filter((text) => text === 'Set-Cookie')).toHaveLength(2);
      expect(headers.filter((text) => text === 'Cache-Control')).toHaveLength(1);
    }
    // Nothing of it sticks to what is kept for others.
    expect(await answerFor(caller)).not.toContain('Set-Cookie');
    expect(await answerFor(refusal('cookie', 'session_ended'))).not.toContain('Set-Cookie');
  });
});
