import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { Workbench, echo, raw, type RunningGateway, type Seen } from '../testing/workbench.ts';

let bench: Workbench;
let running: RunningGateway;
/** One that does not wait for an upstream. */
let hasty: RunningGateway;
let port: number;
const seen: Seen[] = [];
/** Uploads that the upstream saw break off. */
let broken = 0;
/** Streams that the upstream saw closed by the other side. */
let closed = 0;
/** Requests that met an upstream which breaks the first connection. */
let flaky = 0;
/** Bytes that the upstream has written of a flood, and how many there are in all. */
let flooded = 0;
const FLOOD = 200 << 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const app = await bench.upstream(echo(seen));
  const stream = await bench.upstream((request, response) => {
    if (request.url === '/stream/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.on('close', () => closed++);
      response.write('data: first\n\n');
      request.socket.once('data', () => undefined);
    } else if (request.url === '/stream/cookies') {
      response.setHeader('set-cookie', ['a=1; Path=/', 'b=2; Path=/']);
      response.writeHead(201, 'Made', { connection: 'x-secret, close', 'x-secret': 'hop', 'x-kept': 'ä' });
      // With bytes as body, node:http writes the header block in Latin-1, one byte a character.
      response.end(Buffer.from('ok'));
    } else if (request.url === '/stream/half') {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setImmediate(() => response.destroy());
    } else if (request.url === '/stream/flood') {
      const part = Buffer.alloc(1 << 20);
      const flood = (): void => {
        while (flooded < FLOOD) {
          flooded += part.length;
          if (!response.write(part)) return void response.once('drain', flood);
        }
        response.end();
      };
      flood();
    } else if (request.url === '/stream/flaky') {
      flaky++;
      if (flaky === 1) request.socket.destroy();
      else request.resume().on('end', () => response.end(`try ${flaky}`));
    } else if (request.url === '/stream/empty') {
      response.writeHead(204).end();
    } else if (request.url === '/stream/length') {
      response.writeHead(200, { 'content-length': '5' }).end('12345');
    } else if (request.url === '/stream/silent') {
      request.resume();
    } else if (request.url === '/stream/big') {
      request.on('error', () => broken++);
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      request.pipe(response);
    } else {
      request.on('error', () => broken++);
      request.on('aborted', () => broken++);
      request.resume();
      request.on('end', () => response.end('done'));
    }
  });
  running = await bench.gateway({
    routes: [
      { prefix: '/', upstream: app.url },
      { prefix: '/public', upstream: app.url, auth: 'none' },
      { prefix: '/shop', upstream: app.url, auth: 'optional' },
      { prefix: '/strip', upstream: app.url, stripBearer: true },
      { prefix: '/stream', upstream: stream.url, auth: 'none' },
      { prefix: '/down', upstream: 'http://127.0.0.1:9', auth: 'none' },
    ],
    proxy: { responseMs: PATIENT_MS, connectMs: PATIENT_MS },
    requestMs: 10 * PATIENT_MS,
  });
  hasty = await bench.gateway({ routes: [{ prefix: '/stream', upstream: stream.url, auth: 'none' }], proxy: { responseMs: 100 } });
  port = running.gateway.port;
});
afterAll(async () => bench[Symbol.asyncDispose]());

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(`${running.url}${path}`, { headers });
const bearer = (): string => `Authorization: Bearer ${running.issue({ userId: 'bob' })}\r\n`;

describe('what an upstream sees', () => {
  it('is the identity that the gateway found, and none that the client claims', async () => {
    const spoofed = [
      'X-Wherry-User-Id: root',
      'X_Wherry_User_Id: root',
      'x.wherry.user.id: root',
      'X-Wherry_Authorities: ADMIN',
      'x-wherry-signature: v1,0,x',
      'X-WHERRY--kind: session',
    ].join('\r\n');
    const answer = await raw(port, `GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n${spoofed}\r\n${bearer()}Connection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    const { rawHeaders, url, headers } = seen.at(-1)!;
    expect(url).toBe('/a?b=c');
    expect(headers).toMatchObject({ 'x-wherry-user-id': 'bob', 'x-wherry-kind': 'jwt', 'x-wherry-authorities': 'ROLE_USER' });
    expect(JSON.stringify(rawHeaders)).not.toMatch(/root|ADMIN|v1,0/);
    expect(headers).toMatchObject({ host: 'shop.example', 'x-forwarded-host': 'shop.example', 'x-forwarded-for': '127.0.0.1' });
  });

  it('is no identity at all from nobody, whatever he claims', async () => {
    for (const path of ['/public/x', '/shop/x']) {
      const answer = await get(path, { 'x-wherry-user-id': 'root', x_wherry_kind: 'jwt' });
      expect(answer.status).toBe(200);
      expect(JSON.stringify((await answer.json()) as Seen)).not.toMatch(/wherry/i);
    }
  });

  it('holds no line that a user id could have brought', async () => {
    const token = running.issue({ userId: 'eve\r\nx-wherry-user-id: root\r\n\r\nGET / HTTP/1.1', authorities: ['A\r\nB: c'] });
    const answer = await get('/a', { authorization: `Bearer ${token}` });
    const { headers, rawHeaders } = (await answer.json()) as Seen;
    expect(headers['x-wherry-user-id']).toBe(encodeURIComponent('eve\r\nx-wherry-user-id: root\r\n\r\nGET / HTTP/1.1'));
    expect(rawHeaders.filter((text) => text.toLowerCase() === 'x-wherry-user-id')).toHaveLength(1);
  });

  it('ends the headers of the hop, with those that Connection names', async () => {
    const headers = 'Connection: close, x-mine\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Authorization: x\r\nX-Forwarded-For: 9.9.9.9\r\n';
    await raw(port, `GET /public/hop HTTP/1.1\r\nHost: a\r\nForwarded: for=9.9.9.9\r\nX_Forwarded_For: 9\r\n${headers}X-Kept: 2\r\n\r\n`);
    const names = seen
      .at(-1)!
      .rawHeaders.filter((_, at) => at % 2 === 0)
      .map((name) => name.toLowerCase());
    expect(names.toSorted()).toEqual(['connection', 'host', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-kept']);
    expect(seen.at(-1)!.headers['x-forwarded-for']).toBe('127.0.0.1');
  });

  it('is the bearer token only where the route does not keep it; cookies go on', async () => {
    for (const [path, stripped] of [
      ['/a', false],
      ['/strip', true],
    ] as const) {
      await raw(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nCookie: sid=1\r\n${bearer()}Connection: close\r\n\r\n`);
      expect(seen.at(-1)!.headers.authorization === undefined).toBe(stripped);
      expect(seen.at(-1)!.headers.cookie).toBe('sid=1');
    }
  });
});

describe('what is refused before any upstream', () => {
  it.each([
    ['two lengths', 'POST /public HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'],
    ['length and chunks', 'POST /public HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['chunked last but not alone', 'POST /public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
    ['a length with a sign', 'POST /public HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc'],
    ['a space before the colon', 'GET /public HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc'],
    ['a folded line', 'GET /public HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n'],
    ['a bare line feed', 'GET /public HTTP/1.1\nHost: a\n\n'],
    ['no host', 'GET /public HTTP/1.1\r\n\r\n'],
    ['two hosts', 'GET /public HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['two authorizations', 'GET /public HTTP/1.1\r\nHost: a\r\nAuthorization: Basic a\r\nAuthorization: Basic b\r\n\r\n'],
    ['the absolute form', 'GET http://evil.example/public HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['the asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['dot segments', 'GET /public/../private HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['encoded dot segments', 'GET /public/%2e%2E/private HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an encoded slash', 'GET /public/..%2fprivate HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a backslash', 'GET /public/..\\private HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a fragment', 'GET /public#/../x HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['endless headers', `GET /public HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`],
  ])('%s', async (_what, text) => {
    const before = seen.length;
    const answer = await raw(port, text, (got) => got.includes('\r\n\r\n'));
    expect(answer).toMatch(/^(HTTP\/1.1 4(00|31) |$)/);
    expect(seen.length).toBe(before);
  });

  it('another spelling of a path that needs a user', async () => {
    const before = seen.length;
    for (const path of ['/a', '//a', '/%61', '/publi%63ity', '/public;x/../a', '/SHOPPING']) {
      expect([400, 401]).toContain(Number((await raw(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).slice(9, 12)));
    }
    expect(seen.length).toBe(before);
  });

  it('a request behind a refused one on the same connection, hidden in its body', async () => {
    const hidden = 'GET /public/hidden HTTP/1.1\r\nHost: a\r\n\r\n';
    const answer = await raw(port, `POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length + 10}\r\n\r\n${hidden}`);
    expect(answer.match(/HTTP\/1.1 /g)).toHaveLength(1);
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
    expect(seen.some(({ url }) => url.includes('hidden'))).toBe(false);
  });
});

describe('streams', () => {
  it('bring an event when it happens, and end at the upstream when the client leaves', async () => {
    const before = closed;
    const request = httpRequest({ port, path: '/stream/events' }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const [chunk] = (await once(response, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('data: first\n\n');
    request.destroy();
    await vi.waitFor(() => expect(closed).toBe(before + 1));
  });

  it('keep each Set-Cookie, the status text and bytes of headers, and drop those of the hop', async () => {
    const answer = await raw(port, 'GET /stream/cookies HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 201 Made\r\n/);
    expect(answer.match(/set-cookie: [ab]=/gi)).toHaveLength(2);
    expect(answer).toContain('x-kept: ä');
    expect(answer).not.toContain('x-secret');
  });

  it('carry 100 MB both ways with flat memory', async () => {
    const part = randomBytes(1 << 20);
    const request = httpRequest({ port, path: '/stream/big', method: 'POST' });
    const got = new Promise<number>((resolve, reject) => {
      request.on('error', reject);
      request.on('response', (response) => {
        let bytes = 0;
        response.on('data', (chunk: Buffer) => (bytes += chunk.length));
        response.on('end', () => resolve(bytes));
        response.on('error', reject);
      });
    });
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let i = 0; i < 100; i++) {
      if (!request.write(part)) await once(request, 'drain');
      if (i % 10 !== 0) continue;
      collectGarbage();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    request.end();
    expect(await got).toBe(100 << 20);
    // All three sides live in this process; gathered anywhere, it would grow to 100 MB.
    expect(most).toBeLessThan(60 << 20);
  });

  it('pause the upstream while the client does not read', async () => {
    flooded = 0;
    const request = httpRequest({ port, path: '/stream/flood' }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.pause();
    // The buffers on the way fill; then the upstream's count stands still.
    let last = -1;
    let still = 0;
    await vi.waitFor(
      () => {
        still = flooded === last && flooded > 0 ? still + 1 : 0;
        last = flooded;
        expect(still).toBeGreaterThan(5);
      },
      { interval: 20 },
    );
    expect(flooded).toBeLessThan(FLOOD / 2);
    let bytes = 0;
    response.on('data', (chunk: Buffer) => (bytes += chunk.length));
    response.resume();
    await once(response, 'end');
    expect(bytes).toBe(FLOOD);
  });
});

describe('upstreams that fail', () => {
  it('are 502 when they are not there', async () => {
    const answer = await get('/down/x');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([502, '1']);
    expect(await answer.json()).toMatchObject({ code: 'upstream_unavailable' });
  });

  it('are 504 when they do not answer', async () => {
    const answer = await fetch(`${hasty.url}/stream/silent`);
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({ code: 'upstream_timeout' });
  });

  it('break the connection when they break off, so that a half is not taken for the whole', async () => {
    await expect(get('/stream/half').then((answer) => answer.text())).rejects.toThrow();
  });

  it('see an upload break off when the client does', async () => {
    const before = broken;
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /stream/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome');
    await vi.waitFor(async () => expect(await running.page()).toMatch(/wherry_gateway_upstream_under_way [1-9]/));
    socket.destroy();
    await vi.waitFor(() => expect(broken).toBeGreaterThan(before));
    await vi.waitFor(async () => expect(await running.page()).toMatch(/wherry_gateway_upstream_under_way 0/));
  });
});

describe('a connection that the upstream closes under a request', () => {
  it('is tried once more, where a repeat does nothing twice', async () => {
    flaky = 0;
    expect(await (await get('/stream/flaky')).text()).toBe('try 2');
    flaky = 0;
    const posted = await fetch(`${running.url}/stream/flaky`, { method: 'POST', body: 'once' });
    expect([posted.status, flaky]).toEqual([502, 1]);
  });
});

describe('answers without a body', () => {
  it('end where they end, and the connection goes on', async () => {
    const three = ['HEAD /stream/length', 'GET /stream/empty', 'HEAD /stream/silently'].map(
      (line) => `${line} HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    const last = 'GET /stream/length HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const answer = await raw(port, three.join('') + last);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 204', 'HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(answer).toMatch(/\r\n\r\n12345$/);
    expect(answer.match(/content-length: 5/gi)).toHaveLength(2);
  });

  it('are what a wish to upgrade gets: this gateway speaks HTTP', async () => {
    const wish = 'Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n';
    expect(await raw(port, `GET /public/ws HTTP/1.1\r\nHost: a\r\n${wish}\r\n`)).toMatch(/^HTTP\/1.1 200 /);
    expect(seen.at(-1)!.headers.upgrade).toBeUndefined();
    expect(await raw(port, 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('');
  });
});

describe('Expect: 100-continue', () => {
  it('asks for the body only when the request may pass', async () => {
    const head = 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n';
    expect(await raw(port, `${head}\r\n`, (got) => got.includes('\r\n\r\n'))).toMatch(/^HTTP\/1.1 401 /);
    const socket = connect(port, '127.0.0.1');
    socket.write(`${head}${bearer()}Connection: close\r\n\r\n`);
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1.1 100 /);
    socket.write('body');
    const [second] = (await once(socket, 'data')) as [Buffer];
    expect(second.toString()).toMatch(/^HTTP\/1.1 200 /);
    expect(seen.at(-1)).toMatchObject({ body: 'body' });
    socket.destroy();
  });
});
