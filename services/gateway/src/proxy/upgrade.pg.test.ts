import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Workbench, newSession, raw, type RunningGateway } from '../testing/workbench.ts';

let bench: Workbench;
let running: RunningGateway;
/** One with narrow bounds, and an eye on its callers all the time. */
let narrow: RunningGateway;
/** One that waits for nobody. */
let hasty: RunningGateway;
let port: number;
/** Handshakes that the upstream has accepted, and its ends of them. */
const accepted: { request: IncomingMessage; socket: WebSocket }[] = [];
/** Ordinary requests that it has read. */
const read: string[] = [];
const closers: (() => void)[] = [];

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const SWITCHED = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;
const wish = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${more}\r\n`;

/** An upstream made of bytes: what it answers to a first chunk. Answers its address and its sockets. */
async function bytes(onFirst: (socket: Socket, text: string) => void): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (chunk: Buffer) => onFirst(socket, chunk.toString('latin1')));
    closers.push(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What the tests of the open connection do at the upstream's end, set by each. */
let onOpen: (socket: Socket) => void = () => undefined;
/** What an upstream that does not accept says. */
let bad = '';

beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const server = createHttpServer((request, response) => {
    read.push(`${request.method} ${request.url}`);
    response.writeHead(request.url === '/ws/none' ? 404 : 200, { 'x-upgrade': String(request.headers.upgrade) });
    response.end('x'.repeat(300_000));
  });
  const sockets = new WebSocketServer({ server, maxPayload: 1 << 27, handleProtocols: (asked) => [...asked].at(-1) ?? false });
  sockets.on('connection', (socket, request) => {
    accepted.push({ request, socket });
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const { socket } of accepted) socket.terminate();
    sockets.close();
    server.close();
    server.closeAllConnections();
  });
  const app = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = await bytes((socket) => {
    socket.write(SWITCHED);
    onOpen(socket);
  });
  const unaccepting = await bytes((socket) => void socket.write(bad));
  const routes = [
    { prefix: '/', upstream: app },
    { prefix: '/strip', upstream: app, stripBearer: true },
    { prefix: '/shop', upstream: app, auth: 'optional' },
    { prefix: '/public', upstream: app, auth: 'none' },
    { prefix: '/open', upstream: open, auth: 'none' },
    { prefix: '/bad', upstream: unaccepting, auth: 'none' },
    { prefix: '/down', upstream: 'http://127.0.0.1:9', auth: 'none' },
  ] as const;
  running = await bench.gateway({ routes, proxy: { responseMs: PATIENT_MS, connectMs: PATIENT_MS }, idleMs: PATIENT_MS });
  narrow = await bench.gateway({
    routes,
    proxy: { lookAgainMs: 30, unknownMs: 0, upgrades: { max: 4, perCaller: 2, idleMs: PATIENT_MS } },
    idleMs: PATIENT_MS,
  });
  hasty = await bench.gateway({ routes, proxy: { responseMs: 300, upgrades: { idleMs: 300 } }, idleMs: 300 });
  port = running.gateway.port;
});
afterAll(async () => {
  for (const close of closers) close();
  await bench[Symbol.asyncDispose]();
});

const opened = async (
  gateway: RunningGateway,
  path: string,
  headers: Record<string, string> = {},
  protocols: string[] = [],
): Promise<WebSocket> => {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}${path}`, protocols, { headers, perMessageDeflate: false });
  socket.on('error', () => undefined);
  await Promise.race([
    once(socket, 'open'),
    once(socket, 'unexpected-response').then(([, response]: unknown[]) => {
      throw new Error(`status ${(response as IncomingMessage).statusCode}`);
    }),
  ]);
  closers.push(() => socket.terminate());
  return socket;
};
const closing = async (socket: WebSocket): Promise<number> => {
  const [code] = (await once(socket, 'close')) as [number];
  return code;
};
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
/** One end of a connection, and all that has come there. */
interface End {
  readonly socket: Socket;
  got(): string;
  /** Waits until the text has come. */
  until(text: string): Promise<void>;
}
function endOf(socket: Socket): End {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  return { socket, got: () => text, until: async (wanted) => vi.waitFor(() => expect(text).toContain(wanted)) };
}
/** Without an `error` event in between counting as a failure. */
const event = async (socket: Socket, name: 'end' | 'close'): Promise<void> => new Promise((resolve) => socket.once(name, resolve));
const dial = async (gateway: RunningGateway, text: string): Promise<End> => {
  const socket = connect({ port: gateway.gateway.port, host: '127.0.0.1', allowHalfOpen: true });
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(text, 'latin1');
  return endOf(socket);
};
const openAt = async (gateway: RunningGateway): Promise<number> =>
  Number(/wherry_gateway_upgraded (\d+)\n/.exec(await gateway.page())?.[1]);
/** An open connection, both ends. */
const dialOpen = async (gateway: RunningGateway): Promise<{ client: End; upstream: End }> => {
  let upstream: End | undefined;
  onOpen = (socket) => (upstream = endOf(socket));
  const client = await dial(gateway, wish('/open'));
  await client.until('\r\n\r\n');
  if (upstream === undefined) throw new Error('opened without the upstream');
  return { client, upstream };
};

describe('a WebSocket', () => {
  it('is opened for a signed-in user, and the upstream is told who he is', async () => {
    const headers = { ...bearer(running.issue({ userId: 'bob' })), 'x-wherry-user-id': 'root', x_wherry_kind: 'session', cookie: 'a=b' };
    const socket = await opened(running, '/ws/a?b=c', headers, ['one', 'two']);
    const { request } = accepted.at(-1)!;
    expect(request.url).toBe('/ws/a?b=c');
    expect(request.headers).toMatchObject({
      'x-wherry-user-id': 'bob',
      'x-wherry-kind': 'jwt',
      cookie: 'a=b',
      'x-forwarded-for': '127.0.0.1',
    });
    expect(JSON.stringify(request.rawHeaders)).not.toMatch(/root|x_wherry/);
    expect(socket.protocol).toBe('two');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    socket.close(4321, 'enough');
    expect(await closing(socket)).toBe(4321);
    await vi.waitFor(async () => expect(await running.page()).toMatch(/wherry_gateway_upgraded 0\n/));
    expect(await running.page()).toContain('wherry_gateway_upstream_total{prefix="/",result="1xx"} 1');
  });

  it('does not see the bearer where the route keeps it', async () => {
    await opened(running, '/strip/ws', bearer(running.issue()));
    expect(accepted.at(-1)!.request.headers.authorization).toBeUndefined();
  });

  it('is opened for nobody only where he may pass, and without an identity', async () => {
    const { token } = await newSession(running);
    for (const [path, headers, user] of [
      ['/public/ws', bearer('garbage'), undefined],
      ['/shop/ws', {}, undefined],
      ['/shop/ws', bearer(token), '42'],
    ] as const) {
      await opened(running, path, { ...headers, 'x-wherry-user-id': 'root' });
      expect(accepted.at(-1)!.request.headers['x-wherry-user-id']).toBe(user);
    }
  });

  it('is refused by an ordinary answer, and reaches no upstream', async () => {
    const before = [accepted.length, read.length];
    const token = running.issue();
    for (const [text, status] of [
      [wish('/ws'), 401],
      [wish('/ws', 'Authorization: Bearer abc\r\n'), 401],
      // The place for protocol names is none for credentials (it is echoed, logged and kept by others).
      [wish('/ws', `Sec-WebSocket-Protocol: bearer, ${token}\r\n`), 401],
      [wish(`/ws?access_token=${token}`), 400],
      [wish('/ws', `Authorization: Bearer ${token}\r\nauthorization: Bearer ${token}\r\n`), 400],
      [wish('/ws', `Host: b\r\nAuthorization: Bearer ${token}\r\n`), 400],
      [wish('/public/../ws'), 400],
      [wish('/shop/ws', 'Authorization: Bearer a.b.c\r\n'), 401],
    ] as const) {
      const answer = await raw(port, `${text}GET /public/after HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer).toMatch(/\r\nconnection: close\r\n/i);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(answer).toContain('application/problem+json');
    }
    expect([accepted.length, read.length]).toEqual(before);
  });

  it('carries 64 MiB each way, whole and in order', async () => {
    const socket = await opened(running, '/public/ws');
    const part = randomBytes(1 << 20);
    const sent = createHash('sha256');
    const got = createHash('sha256');
    let back = 0;
    const whole = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        got.update(data);
        back += data.length;
        if (back === 64 << 20) resolve();
      });
    });
    for (let i = 0; i < 64; i++) {
      part.writeUInt32BE(i);
      const copy = Buffer.from(part);
      sent.update(copy);
      await new Promise<void>((resolve, reject) => socket.send(copy, (error) => (error ? reject(error) : resolve())));
    }
    await whole;
    expect(got.digest('hex')).toBe(sent.digest('hex'));
  });
});

describe('the open connection', () => {
  it('hands on the bytes that came with the request, after the acceptance and not before', async () => {
    let early = '';
    let late = '';
    let accept: (() => void) | undefined;
    const upstream = await bytes((socket, text) => {
      early = text;
      socket.on('data', (chunk: Buffer) => (late += chunk.toString('latin1')));
      accept = () => socket.write(SWITCHED);
    });
    const { url, gateway } = await bench.gateway({ routes: [{ prefix: '/', upstream, auth: 'none' }], proxy: { responseMs: PATIENT_MS } });
    expect(url).toContain('http');
    const client = connect(gateway.port, '127.0.0.1');
    client.write(`${wish('/early')}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    await vi.waitFor(() => expect(accept).toBeDefined());
    expect(early).toMatch(/^GET \/early HTTP\/1\.1\r\n/);
    expect(early).not.toContain('smuggled');
    expect(early.match(/\r\nconnection: upgrade\r\n/gi)).toHaveLength(1);
    expect(early.match(/\r\nupgrade: websocket\r\n/gi)).toHaveLength(1);
    expect(late).toBe('');
    accept?.();
    await vi.waitFor(() => expect(late).toBe('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'));
    client.destroy();
  });

  it('lets each side end its direction first, and the other go on', async () => {
    for (const clientFirst of [true, false]) {
      const { client, upstream } = await dialOpen(running);
      const [first, second] = clientFirst ? [client, upstream] : [upstream, client];
      const ended = event(second.socket, 'end');
      first.socket.end('last words');
      await second.until('last words');
      await ended;
      second.socket.write('still ');
      await first.until('still ');
      const over = [event(first.socket, 'close'), event(second.socket, 'close')];
      second.socket.end('here');
      await first.until('still here');
      await Promise.all(over);
    }
  });

  it('takes the other side with it when one breaks off, after what had come of it', async () => {
    const before = await openAt(running);
    for (const clientFirst of [true, false]) {
      const { client, upstream } = await dialOpen(running);
      const [first, second] = clientFirst ? [client, upstream] : [upstream, client];
      const over = event(second.socket, 'end');
      first.socket.write('words');
      await second.until('words');
      first.socket.resetAndDestroy();
      await over;
    }
    await vi.waitFor(async () => expect(await openAt(running)).toBe(before));
  });

  it('pauses a sender whose other side does not read', async () => {
    for (const clientFirst of [true, false]) {
      const { client, upstream } = await dialOpen(running);
      const [from, to] = clientFirst ? [client.socket, upstream.socket] : [upstream.socket, client.socket];
      to.removeAllListeners('data').pause();
      const part = Buffer.alloc(1 << 20);
      let written = 0;
      // Until what is on the way fills all buffers.
      let still = 0;
      await vi.waitFor(
        () => {
          still = from.writableNeedDrain ? still + 1 : 0;
          while (!from.writableNeedDrain && written < 200 << 20) {
            from.write(part);
            written += part.length;
          }
          expect(still).toBeGreaterThan(10);
        },
        { interval: 20 },
      );
      expect(written).toBeLessThan(100 << 20);
      let got = 0;
      to.on('data', (chunk: Buffer) => (got += chunk.length)).resume();
      await vi.waitFor(() => expect(got).toBe(written));
      from.destroy();
    }
  });
});

describe('what a wish to upgrade does not open', () => {
  it('is refused by the upstream in an ordinary answer, after which the connection ends', async () => {
    // No version that it knows: 400 or 426, and then it reads requests again. What follows must not be one.
    const old = wish('/public/ws').replace('Version: 13', 'Version: 7');
    const before = read.length;
    const answer = await raw(port, `${old}GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(read.slice(before)).toEqual([]);
  });

  it.each([
    ['another proof', SWITCHED.replace(ACCEPT, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='), 502],
    ['no proof', 'HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', 502],
    ['another protocol', SWITCHED.replace('Upgrade: websocket', 'Upgrade: h2c'), 502],
    ['no HTTP', 'hello there\r\n\r\n', 502],
    ['nothing and a goodbye', 'HTTP/1.1 503 Later\r\nContent-Length: 5\r\n\r\nlater', 503],
    ['200', 'HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok', 200],
  ])('an upstream answers: %s', async (_what, text, status) => {
    bad = text;
    const answer = await raw(port, `${wish('/bad')}GET /public/after HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('is an upstream that is away, or says nothing', async () => {
    expect(await raw(port, wish('/down/ws'))).toMatch(/^HTTP\/1\.1 502 /);
    bad = '';
    expect(await raw(hasty.gateway.port, wish('/bad'))).toMatch(/^HTTP\/1\.1 504 /);
    bad = 'HTTP/1.1 101 Interim\r\n\r\n';
    expect(await raw(hasty.gateway.port, wish('/bad'))).toMatch(/^HTTP\/1\.1 50[24] /);
    await vi.waitFor(async () => expect(await openAt(hasty)).toBe(0));
  });

  it('is another protocol, a body, or a request behind one that is not answered yet', async () => {
    const h2c = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    for (const text of [
      `GET /public/h2c HTTP/1.1\r\nHost: a\r\n${h2c}\r\n`,
      `POST /public/h2c HTTP/1.1\r\nHost: a\r\n${h2c}Content-Length: 4\r\n\r\nbody`,
      `GET /public/h2c HTTP/1.1\r\nHost: a\r\n\r\n${wish('/public/ws', 'Connection: close\r\n')}`,
    ]) {
      const before = accepted.length;
      const answer = await raw(port, text);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).toContain('x-upgrade: undefined');
      expect(answer).not.toMatch(/HTTP\/1\.1 101/);
      expect(accepted.length).toBe(before);
    }
  });
});

describe('an open connection is cut', () => {
  /** The upstream's end of the newest one. */
  const otherEnd = (): WebSocket => accepted.at(-1)!.socket;

  it('when its session was ended or its user logged out everywhere, and others are not', async () => {
    const first = await newSession(narrow, { userId: 'kate' });
    const second = await newSession(narrow, { userId: 'kate' });
    const other = await newSession(narrow, { userId: 'olga' });
    const sockets = [];
    for (const token of [first.token, narrow.issue({ userId: 'kate', sessionId: second.key.id }), other.token]) {
      sockets.push(await opened(narrow, '/ws', bearer(token)));
    }
    const [one, two, three] = sockets as [WebSocket, WebSocket, WebSocket];
    const firstEnd = accepted.at(-3)!.socket;
    try {
      const cut = closing(one);
      await narrow.runtime.revocations.endSession({ slot: first.key.slot, id: first.key.id, digest: first.key.digest, reason: 'logout' });
      expect(await cut).toBe(1006);
      await vi.waitFor(() => expect(firstEnd.readyState).toBe(WebSocket.CLOSED));
      const both = closing(two);
      await narrow.runtime.revocations.raiseGeneration('kate', 'test', 'disabled');
      expect(await both).toBe(1006);
      three.send('still here');
      expect(String((await once(three, 'message'))[0])).toBe('still here');
      expect(await narrow.page()).toContain('wherry_gateway_upstream_total{prefix="/",result="ended"} 2');
    } finally {
      three.terminate();
    }
  });

  /** A connection with a credential that lives for a short while; where the machine stood still for all of it, a longer one is tried. */
  const openedBriefly = async (
    credential: (lifeMs: number) => Promise<string> | string,
    lifeMs = 1000,
  ): Promise<{ socket: WebSocket; token: string }> => {
    const token = await credential(lifeMs);
    try {
      return { socket: await opened(narrow, '/ws', bearer(token)), token };
    } catch (error) {
      if (lifeMs > 30_000) throw error;
      return openedBriefly(credential, 2 * lifeMs);
    }
  };
  /** Issued so long ago that only this is left of its life and of the skew that is allowed. */
  const issuedLongAgo = (lifeMs: number): number => Math.ceil((Date.now() + lifeMs) / 1000) - 600 - 30;

  it('when its session has run out, or its token where no session stands behind it', async () => {
    const one = await openedBriefly(async (lifeMs) => (await newSession(narrow, { expireTime: Date.now() + lifeMs })).token);
    expect(await closing(one.socket)).toBe(1006);
    const two = await openedBriefly((lifeMs) => narrow.issue({ userId: 'tom', issuedAt: issuedLongAgo(lifeMs) }));
    expect(await closing(two.socket)).toBe(1006);
  });

  it('not when its token has run out while its session lives', async () => {
    const { key } = await newSession(narrow, { userId: 'uma' });
    const { socket, token } = await openedBriefly((lifeMs) =>
      narrow.issue({ userId: 'uma', sessionId: key.id, issuedAt: issuedLongAgo(lifeMs) }),
    );
    await vi.waitFor(async () => expect((await fetch(`${narrow.url}/x`, { headers: bearer(token) })).status).toBe(401));
    // One without a session, opened after it, is cut: so there were looks since.
    const other = await openedBriefly((lifeMs) => narrow.issue({ userId: 'tom', issuedAt: issuedLongAgo(lifeMs) }));
    await closing(other.socket);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    const cut = closing(socket);
    await narrow.runtime.revocations.endSession({ slot: key.slot, id: key.id, digest: key.digest, reason: 'logout' });
    expect(await cut).toBe(1006);
  });

  it('when the refresh token that its token came with is revoked, before the token has run out and after', async () => {
    const { key } = await newSession(narrow, { userId: 'vera' });
    const revoke = async (id: bigint): Promise<unknown> => narrow.runtime.revocations.endFamily({ id, reason: 'revoked' });
    const early = await opened(narrow, '/ws', bearer(narrow.issue({ userId: 'vera', sessionId: key.id, familyId: 71n })));
    const cutEarly = closing(early);
    await revoke(71n);
    expect(await cutEarly).toBe(1006);

    const { socket, token } = await openedBriefly((lifeMs) =>
      narrow.issue({ userId: 'vera', sessionId: key.id, familyId: 72n, issuedAt: issuedLongAgo(lifeMs) }),
    );
    await vi.waitFor(async () => expect((await fetch(`${narrow.url}/x`, { headers: bearer(token) })).status).toBe(401));
    // Of another family of the session, which the first one's end does not reach.
    const apart = await opened(narrow, '/ws', bearer(narrow.issue({ userId: 'vera', sessionId: key.id, familyId: 73n })));
    try {
      const cutLate = closing(socket);
      await revoke(72n);
      expect(await cutLate).toBe(1006);
      apart.send('still here');
      expect(String((await once(apart, 'message'))[0])).toBe('still here');
    } finally {
      socket.terminate();
      apart.terminate();
    }
  });

  it('when nothing comes of either side for too long', async () => {
    const socket = await opened(hasty, '/public/ws');
    expect(await closing(socket)).toBe(1006);
    expect(otherEnd().readyState).not.toBe(WebSocket.OPEN);
  });

  it('when one side takes nothing of what the other sends', async () => {
    for (const clientFirst of [true, false]) {
      const { client, upstream } = await dialOpen(hasty);
      const [from, to] = clientFirst ? [client.socket, upstream.socket] : [upstream.socket, client.socket];
      to.removeAllListeners('data').pause();
      const part = Buffer.alloc(1 << 20);
      const flood = setInterval(() => {
        if (!from.writableNeedDrain && !from.destroyed) from.write(part);
      }, 1);
      await event(from, 'close');
      clearInterval(flood);
    }
    await vi.waitFor(async () => expect(await openAt(hasty)).toBe(0));
  });
});

describe('how many may be open', () => {
  it('is bounded for one caller and for all, and a place is free again after the close', async () => {
    const eve = bearer(narrow.issue({ userId: 'eve' }));
    const sockets: WebSocket[] = [];
    try {
      for (const headers of [eve, eve, {}, {}]) sockets.push(await opened(narrow, headers === eve ? '/ws' : '/public/ws', headers));
      expect(await raw(narrow.gateway.port, wish('/ws', `Authorization: ${eve['authorization']}\r\n`))).toMatch(
        /^HTTP\/1\.1 429 [^]*too_many_connections/,
      );
      const full = await raw(narrow.gateway.port, wish('/ws', `Authorization: Bearer ${narrow.issue({ userId: 'zoe' })}\r\n`));
      expect(full).toMatch(/^HTTP\/1\.1 503 [^]*connections_exhausted/);
      expect(full).toMatch(/\r\nretry-after: 5\r\n/i);
      sockets.at(0)!.close();
      await closing(sockets.at(0)!);
      await vi.waitFor(async () => void sockets.push(await opened(narrow, '/ws', eve)));
    } finally {
      for (const socket of sockets) socket.terminate();
    }
  });
});

describe('nobody', () => {
  it('is counted by his address as a proxy of ours tells it, and not at all where it does not', async () => {
    const sockets: WebSocket[] = [];
    await vi.waitFor(async () => expect(await openAt(narrow)).toBe(0));
    const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });
    try {
      for (const headers of [from('203.0.113.1'), from('203.0.113.1')]) sockets.push(await opened(narrow, '/public/ws', headers));
      await expect(opened(narrow, '/public/ws', from('203.0.113.1'))).rejects.toThrow('429');
      sockets.push(await opened(narrow, '/public/ws', from('203.0.113.2')));
      sockets.push(await opened(narrow, '/public/ws'));
    } finally {
      for (const socket of sockets) socket.terminate();
    }
    await vi.waitFor(async () => expect(await openAt(narrow)).toBe(0));
  });
});

describe('a gateway that goes', () => {
  it('opens nothing new, lets what is open go on until its deadline, and ends it then', async () => {
    const upstream = await bytes((socket) => {
      socket.write(SWITCHED);
      onOpen(socket);
    });
    const going = await bench.gateway({ routes: [{ prefix: '/', upstream, auth: 'none' }], idleMs: PATIENT_MS });
    let far: End | undefined;
    onOpen = (socket) => (far = endOf(socket));
    const near = await dial(going, wish('/open'));
    await near.until('\r\n\r\n');
    // Begun, so the drain may or may not take it for one that waits; it opens nothing either way.
    const late = await dial(going, 'GET /auth HTTP/1.1\r\nHost: a\r\n');
    const lateEnded = event(late.socket, 'end');
    const abort = new AbortController();
    let drained = false;
    const drain = going.gateway.drain(abort.signal).then(() => (drained = true));
    near.socket.write('going on');
    await far!.until('going on');
    far!.socket.write('as before');
    await near.until('as before');
    expect(drained).toBe(false);
    late.socket.write(`\r\n${wish('/late')}`);
    await lateEnded;
    expect(late.got()).not.toContain(' 101 ');
    abort.abort();
    await drain;
    const over = [event(near.socket, 'end'), event(far!.socket, 'end')];
    await going.gateway.stop();
    await Promise.all(over);
  });
});
