import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { Answer } from '../answer.ts';
import { Connections } from '../connections.ts';
import { PlainLane, isAt } from './plain-lane.ts';
import type { PlainRequest } from './plain-request.ts';

const ASK = 'GET /auth HTTP/1.1\r\nHost: a\r\n\r\n';
const ANSWER = new Answer(200, ['Content-Length', '0', 'X-By', 'lane']);

interface Stage {
  readonly lane: PlainLane;
  readonly connections: Connections;
  readonly server: Server;
  /** What node:http was given, bodies read. */
  readonly byNode: string[];
  open(): Promise<Client>;
}

interface Client {
  readonly socket: Socket;
  /** All that came back. */
  got(): string;
  closed(): boolean;
  /** Waits until this many answers have come. */
  answers(count: number): Promise<void>;
}

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface StageOptions {
  readonly idleMs?: number;
  readonly firstMs?: number;
  readonly headersTimeout?: number;
}

async function stage(
  answer: (request: PlainRequest) => Answer | Promise<Answer> = () => ANSWER,
  { idleMs = 600_000, firstMs = idleMs, headersTimeout = 600_000 }: StageOptions = {},
): Promise<Stage> {
  const byNode: string[] = [];
  const server = createServer(
    { headersTimeout, requestTimeout: 0, connectionsCheckingInterval: 20 },
    (request: IncomingMessage, response: ServerResponse) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        byNode.push(`${request.method} ${request.url} ${body}`);
        response.end('node');
      });
    },
  );
  const connections = new Connections(server, idleMs, firstMs);
  const lane = new PlainLane({ server, connections, isQuestion: (target) => isAt('/auth', target), answer });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    connections.stop();
    lane.destroy();
    server.close();
    server.closeAllConnections();
  });
  const open = async (): Promise<Client> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let text = '';
    let closed = false;
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined).on('close', () => (closed = true));
    await once(socket, 'connect');
    closers.push(() => socket.destroy());
    return {
      socket,
      got: () => text,
      closed: () => closed,
      answers: async (count) => vi.waitFor(() => expect(text.split('HTTP/1.1 ').length - 1).toBe(count)),
    };
  };
  return { lane, connections, server, byNode, open };
}

/** A client whose first question came in, `asked` says so: one that was closed before, on a machine that stood still, is replaced. */
async function asking(open: () => Promise<Client>, asked: (client: Client) => boolean): Promise<Client> {
  const client = await open();
  client.socket.write(ASK);
  await vi.waitFor(() => expect(client.closed() || asked(client)).toBe(true));
  return asked(client) ? client : asking(open, asked);
}

it('answers one plain question after the other on a connection, with the date', async () => {
  const { open, byNode } = await stage();
  const client = await open();
  for (let count = 1; count <= 3; count++) {
    client.socket.write(ASK);
    await client.answers(count);
  }
  expect(client.got()).toMatch(/^(?:HTTP\/1\.1 200 OK\r\nContent-Length: 0\r\nX-By: lane\r\nDate: \w{3}, [^\r]+ GMT\r\n\r\n){3}$/);
  expect(byNode).toEqual([]);
});

it('writes a refusal with its body', async () => {
  const { open } = await stage(() => new Answer(401, ['Content-Length', '5'], '{"a"}'));
  const client = await open();
  client.socket.write(ASK);
  await vi.waitFor(() => expect(client.got()).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n[^]*\r\n\r\n\{"a"\}$/));
});

it('a header that could end a line is never written', async () => {
  expect(() => new Answer(200, ['X-A', 'a\r\nX-B: b']).head).toThrow('X-A');
});

it.each([
  ['a body that comes in parts', ['POST /auth HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc', 'def'], ['POST /auth abcdef']],
  ['headers that come in parts', ['GET /auth HTTP/1.1\r\nHo', 'st: a\r\n\r', '\n'], ['GET /auth ']],
  ['one byte at a time', ASK.split(''), ['GET /auth ']],
  ['another path', ['GET /other HTTP/1.1\r\nHost: a\r\n\r\n'], ['GET /other ']],
  ['a path that only begins so', ['GET /authors HTTP/1.1\r\nHost: a\r\n\r\n'], ['GET /authors ']],
  ['two questions at once', [`${ASK}${ASK}`], ['GET /auth ', 'GET /auth ']],
])('passes on to node:http, losing nothing: %s', async (_what, parts, expected) => {
  const { open, byNode } = await stage();
  const client = await open();
  // After questions of its own, as connections of a pool are.
  client.socket.write(ASK);
  await client.answers(1);
  for (const part of parts) {
    client.socket.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.answers(1 + expected.length);
  expect(byNode).toEqual(expected);
  // And the connection stays usable.
  client.socket.write(ASK);
  await client.answers(2 + expected.length);
  expect(byNode).toHaveLength(expected.length + 1);
});

it('a great body after plain questions arrives whole', async () => {
  const { open, byNode } = await stage();
  const client = await open();
  client.socket.write(ASK);
  await client.answers(1);
  const body = 'x'.repeat(3_000_000);
  client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await client.answers(2);
  expect(byNode[0]?.length).toBe(`POST / ${body}`.length);
});

it('bad bytes get the answer of node:http', async () => {
  const { open } = await stage();
  const client = await open();
  client.socket.write('GET /auth HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n');
  await vi.waitFor(() => expect(client.closed()).toBe(true));
  expect(client.got()).toMatch(/^HTTP\/1\.1 400 /);
});

it('half a question is cut by the limit of node:http', async () => {
  const { open } = await stage(undefined, { headersTimeout: 100 });
  const client = await open();
  client.socket.write('GET /auth HTTP/1.1\r\nHost: a\r\n');
  await vi.waitFor(() => expect(client.closed()).toBe(true));
  expect(client.got()).toMatch(/^HTTP\/1\.1 408 /);
});

it('answers go out in the order of their questions, though the first takes long', async () => {
  const waiting: ((answer: Answer) => void)[] = [];
  const { open } = await stage(({ url }) => (url === '/auth?slow' ? new Promise((resolve) => waiting.push(resolve)) : ANSWER));
  const client = await open();
  client.socket.write(ASK.replace('/auth', '/auth?slow'));
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  client.socket.write(ASK);
  const other = await open();
  other.socket.write(ASK);
  await other.answers(1);
  expect(client.got()).toBe('');
  waiting[0]?.(new Answer(503, ['Content-Length', '0']));
  await client.answers(2);
  expect(client.got()).toMatch(/^HTTP\/1\.1 503 [^]*HTTP\/1\.1 200 /);
});

it('who is gone before the answer harms nobody', async () => {
  const waiting: ((answer: Answer) => void)[] = [];
  const { open, connections } = await stage(() => new Promise((resolve) => waiting.push(resolve)));
  const client = await open();
  client.socket.write(ASK);
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  client.socket.resetAndDestroy();
  waiting[0]?.(ANSWER);
  await vi.waitFor(() => expect(connections.size).toBe(0));
});

it('who closes his side after the question still gets the answer', async () => {
  const waiting: ((answer: Answer) => void)[] = [];
  const { open } = await stage(() => new Promise((resolve) => waiting.push(resolve)));
  const client = await open();
  client.socket.end(ASK);
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  waiting[0]?.(ANSWER);
  await vi.waitFor(() => expect(client.closed()).toBe(true));
  expect(client.got()).toMatch(/^HTTP\/1\.1 200 /);
});

it('of a client that reads nothing, nothing more is read', async () => {
  let asked = 0;
  const great = new Answer(401, ['Content-Length', '100000'], 'x'.repeat(100_000));
  const { open } = await stage(() => {
    asked++;
    return great;
  });
  const client = await open();
  client.socket.pause();
  let sent = 0;
  const send = (): void => {
    if (client.socket.destroyed || sent - asked > 2) return;
    sent++;
    client.socket.write(ASK);
  };
  const timer = setInterval(send, 1);
  closers.push(() => clearInterval(timer));
  await vi.waitFor(() => expect(sent - asked).toBeGreaterThan(2));
  clearInterval(timer);
  client.socket.resume();
  // What came together in the meantime is for node:http.
  await client.answers(sent);
});

it('a drain closes what is idle at once, and the rest with its answer', async () => {
  const waiting: ((answer: Answer) => void)[] = [];
  const { open, lane, connections } = await stage(() => new Promise((resolve) => waiting.push(resolve)));
  const idle = await open();
  const busy = await open();
  busy.socket.write(ASK);
  await vi.waitFor(() => expect([connections.size, waiting.length]).toEqual([2, 1]));
  lane.drain();
  await vi.waitFor(() => expect(idle.closed()).toBe(true));
  expect(busy.closed()).toBe(false);
  waiting[0]?.(ANSWER);
  await vi.waitFor(() => expect(busy.closed()).toBe(true));
  expect(busy.got()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\nConnection: close\r\n\r\n$/);
});

it('a connection that asks nothing is closed as idle, one that waits for its answer is not', async () => {
  const waiting: ((answer: Answer) => void)[] = [];
  const { open } = await stage(() => new Promise((resolve) => waiting.push(resolve)), { idleMs: 50 });
  const busy = await asking(open, () => waiting.length === 1);
  const silent = await open();
  await vi.waitFor(() => expect(silent.closed()).toBe(true));
  expect(busy.closed()).toBe(false);
  waiting[0]?.(ANSWER);
  await busy.answers(1);
});

it('a connection on which nothing ever comes is closed sooner than one that waits for its next question', async () => {
  const { open } = await stage(undefined, { firstMs: 50 });
  const used = await asking(open, (client) => client.got() !== '');
  const silent = await open();
  await vi.waitFor(() => expect(silent.closed()).toBe(true));
  used.socket.write(ASK);
  await used.answers(2);
  expect(used.closed()).toBe(false);
});

it('who reads nothing is cut off in the end, though his answer is not written yet', async () => {
  // More than the buffers of both sides take.
  const great = new Answer(401, ['Content-Length', '40000000'], 'x'.repeat(40_000_000));
  const { open, connections } = await stage(() => great, { idleMs: 50 });
  const client = await open();
  client.socket.pause();
  client.socket.write(ASK);
  await vi.waitFor(() => expect(connections.size).toBe(0));
});

it('after the end nobody is let in, and the server closes', async () => {
  const { lane, open, server } = await stage();
  await open();
  lane.destroy();
  const late = await open();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await vi.waitFor(() => expect(late.closed()).toBe(true));
});
